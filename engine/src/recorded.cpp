#include "recorded.hpp"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <functional>
#include <stdexcept>
#include <system_error>
#include <tuple>
#include <utility>

namespace belay {

namespace {

constexpr std::size_t distinct_errors_max = 1000;

std::pair<failure, std::string> explain(std::exception_ptr const& exception)
{
    try {
        std::rethrow_exception(exception);
    } catch (job_failure const& failure) {
        return {failure.code(), failure.what()};
    } catch (std::exception const& failure) {
        return {failure::failed, failure.what()};
    } catch (stopped const&) {
        return {failure::failed, "the body threw belay::stopped, but was not told to stop"};
    } catch (...) {
        return {failure::failed, "the body threw something that is no std::exception"};
    }
}

} // namespace

recorded::recorded(std::shared_ptr<job_type const> type, batch_spec batch,
                   detail::state_array states)
    : spec(std::move(batch)), type_(std::move(type)), states_(std::move(states)),
      outcomes_(detail::zeroed_array<outcome*>(spec.inputs.size()))
{
}

recorded::~recorded()
{
    // A job that nobody began has no outcome, and reading its place would make its page resident.
    bool const retries = spec.options.max_attempts > 1;
    for (std::uint64_t index = 0; index != spec.inputs.size(); ++index)
        if (retries || states_[index].load(std::memory_order_relaxed) != detail::job_byte::pending)
            delete outcomes_[index];
}

void recorded::run(detail::turn& turn, std::uint64_t begin, std::uint64_t end) noexcept
{
    detail::run_range(turn, *this, begin, end);
}

void recorded::run(std::uint64_t index, job& job, value& output)
{
    output = type_->body(spec.inputs[index], job);
}

detail::job_byte recorded::finish(std::uint64_t index, detail::job_byte how, value& output,
                                  std::exception_ptr const& exception, std::int64_t started,
                                  std::int64_t ended, detail::slot& place) noexcept
{
    if (outcomes_[index] == nullptr)
        outcomes_[index] = new outcome;
    outcome& kept = *outcomes_[index];
    kept.started = started;
    kept.ended = ended;
    kept.progress = detail::progress_of(place, index).value_or(-1.0F);
    if (how == detail::job_byte::stopped)
        std::string().swap(kept.text); // that of an attempt before
    else if (exception)
        std::tie(kept.failure, kept.text) = explain(exception);
    else
        kept.text = std::move(output);
    if (how == detail::job_byte::failed) [[unlikely]]
        count_error(kept);
    return how;
}

void recorded::fail(std::uint64_t index, detail::job_byte how, std::exception_ptr exception,
                    std::int64_t started, std::int64_t ended, detail::slot& place) noexcept
{
    value none;
    (void)finish(index, how, none, exception, started, ended, place);
}

void recorded::count_error(outcome const& failed)
{
    std::pair key(failed.failure, failed.text);
    std::scoped_lock const lock(errors_mutex_);
    if (auto const found = errors_.find(key); found != errors_.end())
        ++found->second;
    else if (errors_.size() != distinct_errors_max)
        errors_.emplace(std::move(key), 1);
}

std::vector<error_count> recorded::errors(std::size_t most) const
{
    std::vector<error_count> result;
    {
        std::scoped_lock const lock(errors_mutex_);
        for (auto const& [what, count] : errors_)
            result.push_back({what.first, what.second, count});
    }
    std::ranges::stable_sort(result, std::greater(), &error_count::count);
    result.resize(std::min(result.size(), most));
    return result;
}

void recorded::describe(std::uint64_t index, job_status& status) const
{
    outcome const& kept = *outcomes_[index];
    status.started_at = time_point(std::chrono::nanoseconds(kept.started));
    status.ended_at = time_point(std::chrono::nanoseconds(kept.ended));
    if (kept.progress >= 0)
        status.progress = kept.progress;
    if (status.state == job_state::failed)
        describe_failure(index, status);
}

void recorded::describe_failure(std::uint64_t index, job_status& status) const
{
    status.failure = outcomes_[index]->failure;
    status.message = outcomes_[index]->text;
}

std::optional<std::string_view> recorded::output(std::uint64_t index) const noexcept
{
    auto const state = states_[index].load(std::memory_order_acquire);
    if (state != detail::job_byte::succeeded && state != detail::job_byte::succeeded_late)
        return std::nullopt;
    return outcomes_[index]->text;
}

std::string make_batch_id()
{
    constexpr std::string_view digits = "0123456789abcdefghjkmnpqrstvwxyz";
    std::array<unsigned char, 26> bytes{};
    std::size_t filled = 0;
    while (filled != bytes.size()) {
        ssize_t const got = getrandom(bytes.data() + filled, bytes.size() - filled, 0);
        if (got < 0 && errno != EINTR)
            throw std::system_error(errno, std::system_category(), "getrandom");
        filled += got > 0 ? static_cast<std::size_t>(got) : 0;
    }
    std::string id = "batch-";
    for (unsigned char const byte : bytes)
        id += digits[byte % digits.size()];
    return id;
}

} // namespace belay
