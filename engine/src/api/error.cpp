#include <belay/error.hpp>

#include <utility>

namespace belay {

namespace {

class category final : public std::error_category {
public:
    char const* name() const noexcept override { return "belay"; }
    std::string message(int value) const override
    {
        switch (static_cast<errc>(value)) {
        case errc::invalid_argument: return "invalid argument";
        case errc::unknown_type: return "unknown job type";
        case errc::already_defined: return "job type already defined";
        case errc::no_such_job: return "no such job";
        case errc::no_value: return "the job has no value";
        case errc::memory_exhausted: return "memory exhausted";
        case errc::shutting_down: return "shutting down";
        case errc::not_cancelled: return "not cancelled";
        case errc::outcome_unknown: return "outcome unknown";
        case errc::store_unusable: return "the store can't be used";
        case errc::store_failed: return "the store failed";
        case errc::cancel_first: return "the batch has not ended";
        case errc::no_batch: return "the handle is empty";
        case errc::idempotency_conflict: return "the idempotency key stands for something else";
        case errc::would_deadlock: return "the wait would never end";
        case errc::store_full: return "the disk is full";
        case errc::resources_exhausted: return "descriptors or memory have run out";
        case errc::too_many: return "too many are under way";
        }
        return "unknown error";
    }
    /// What may be had a moment later is found by `detail::is_shortage`.
    std::error_condition default_error_condition(int value) const noexcept override
    {
        if (static_cast<errc>(value) == errc::resources_exhausted)
            return std::errc::resource_unavailable_try_again;
        return {value, *this};
    }
};

} // namespace

std::error_category const& error_category() noexcept
{
    static category const instance;
    return instance;
}

std::error_code make_error_code(errc value) noexcept
{
    return {static_cast<int>(value), error_category()};
}

error::error(errc code, std::string message)
    : std::system_error(make_error_code(code)), message_(std::move(message))
{
}

} // namespace belay
