// GET /v1/operations and /v1/operations/{id}: cancels of many batches, and how these ended.
#include "message/answers.hpp"
#include "message/json_text.hpp"
#include "resources/paging.hpp"
#include "resources/resources.hpp"
#include "service/time_slice.hpp"
#include "service/views.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace belay::http {

namespace {

constexpr std::uint64_t newest_operation = std::numeric_limits<std::int64_t>::max();

/// Whose operations and batches a key may see; none for all.
std::optional<std::string> owner_seen_by(api_key const& key)
{
    return key.role == role::admin ? std::nullopt : std::optional(key.owner);
}

class operation_list final : public body_source {
public:
    operation_list(engine const& engine, std::optional<std::string> owner, std::uint64_t before,
                   std::uint64_t limit)
        : engine_(engine), owner_(std::move(owner)), before_(before), limit_(limit)
    {
    }

    bool next(std::string& out) override
    {
        time_slice const slice;
        do {
            auto const found = engine_.list_operations(before_, 1);
            if (found.empty())
                return finish(out, false);
            if (!owner_ || found.front().owner() == *owner_) {
                if (written_ == limit_)
                    return finish(out, true);
                if (written_++ != 0)
                    out += ',';
                append_json(out, operation_view(found.front()));
            }
            before_ = found.front().sequence();
        } while (!slice.is_over());
        return true;
    }

private:
    bool finish(std::string& out, bool more) const
    {
        out += ']';
        append_next(out, more ? std::optional(before_) : std::nullopt);
        return false;
    }

    engine const& engine_;
    std::optional<std::string> owner_; ///< none for all
    std::uint64_t before_;
    std::uint64_t limit_;
    std::uint64_t written_ = 0;
};

/// Those that are still there, and may be seen; the cursor counts the others, too.
class operation_batches final : public body_source {
public:
    operation_batches(engine const& engine, cancel_operation operation,
                      std::optional<std::string> owner, std::uint64_t first, std::uint64_t limit)
        : engine_(engine),
          operation_(std::move(operation)),
          owner_(std::move(owner)),
          next_(first),
          limit_(limit)
    {
    }

    bool next(std::string& out) override
    {
        if (!batches_)
            batches_ = operation_.batches();
        time_slice const slice;
        for (; next_ < batches_->size() && written_ != limit_; ++next_) {
            if (slice.is_over())
                return true;
            auto const batch = engine_.find((*batches_)[next_]);
            if (!batch || (owner_ && batch->owner() != *owner_))
                continue;
            if (written_++ != 0)
                out += ',';
            append_json(out, operation_batch_view(*batch));
        }
        out += ']';
        append_next(out, next_ < batches_->size() ? std::optional(next_) : std::nullopt);
        return false;
    }

private:
    engine const& engine_;
    cancel_operation operation_;
    std::optional<std::string> owner_; ///< none for all
    std::optional<std::vector<std::uint64_t>> batches_;
    std::uint64_t next_; ///< in `batches_`
    std::uint64_t limit_;
    std::uint64_t written_ = 0;
};

} // namespace

made_operation list_operations(admitted request)
{
    if (auto error = request.query.only({"limit", "cursor"}))
        return std::move(*error);
    auto const limit = request.query.integer("limit", 1, limit_max, 50);
    if (!limit)
        return limit.error();
    auto const cursor = request.query.integer("cursor", 1, newest_operation, newest_operation);
    if (!cursor)
        return cursor.error();
    return answer_with(succeeded_with_list(
        {}, "operations",
        std::make_unique<operation_list>(request.service.batches(), owner_seen_by(*request.key),
                                         static_cast<std::uint64_t>(*cursor),
                                         static_cast<std::uint64_t>(*limit))));
}

made_operation get_operation(admitted request)
{
    if (auto error = request.query.only({"limit", "cursor"}))
        return std::move(*error);
    auto const limit = request.query.integer("limit", 1, limit_max, 50);
    if (!limit)
        return limit.error();
    auto const cursor = request.query.integer("cursor", 0, newest_operation, 0);
    if (!cursor)
        return cursor.error();
    auto const head = operation_view(request.operation);
    return answer_with(succeeded_with_list(
        head, "batches",
        std::make_unique<operation_batches>(request.service.batches(), std::move(request.operation),
                                            owner_seen_by(*request.key),
                                            static_cast<std::uint64_t>(*cursor),
                                            static_cast<std::uint64_t>(*limit))));
}

} // namespace belay::http
