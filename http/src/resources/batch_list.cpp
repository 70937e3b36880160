// GET /v1/batches: the batches one may see, newest first.
#include "message/answers.hpp"
#include "message/json_text.hpp"
#include "message/text.hpp"
#include "resources/batch_filter.hpp"
#include "resources/paging.hpp"
#include "resources/resources.hpp"
#include "service/views.hpp"

#include <limits>
#include <optional>
#include <string>

namespace belay::http {

namespace {

constexpr std::uint64_t newest = std::numeric_limits<std::int64_t>::max();

class batch_list final : public body_source {
public:
    batch_list(engine const& batches, batch_filter filter, std::uint64_t before,
               std::uint64_t limit)
        : engine_(batches), filter_(std::move(filter)), before_(before), limit_(limit)
    {
    }

    bool next(std::string& out) override
    {
        time_slice const slice;
        do {
            auto const found = engine_.list(before_, 1);
            if (found.empty())
                return finish(out, false);
            auto const status = found.front().status();
            if (filter_.takes(found.front(), status)) {
                if (written_ == limit_)
                    return finish(out, true);
                if (written_++ != 0)
                    out += ',';
                append_json(out, summary_view(found.front(), status));
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
    batch_filter filter_;
    std::uint64_t before_;
    std::uint64_t limit_;
    std::uint64_t written_ = 0;
};

result<batch_filter> parse_filter(query const& query)
{
    batch_filter wanted;
    auto const text = [&](std::string_view name) {
        auto const value = query.text(name);
        return value ? std::optional<std::string>(*value) : std::nullopt;
    };
    if (auto const word = query.text("status")) {
        auto const state = parse_batch_state(*word);
        if (!state)
            return invalid_request("status", "There is no status " + quoted(*word) +
                                                 "; it is created, running, cancelling, completed, "
                                                 "failed, cancelled or expired");
        wanted.states.insert(*state);
    }
    wanted.type = text("type");
    wanted.batch_name = text("batch_name");
    auto const after = query.timestamp("created_after");
    if (!after)
        return after.error();
    auto const before = query.timestamp("created_before");
    if (!before)
        return before.error();
    wanted.created_after = *after;
    wanted.created_before = *before;
    return wanted;
}

} // namespace

made_operation list_batches(admitted request)
{
    query const& query = request.query;
    if (auto error = query.only({"status", "type", "batch_name", "created_after", "created_before",
                                 "limit", "cursor"}))
        return std::move(*error);
    auto wanted = parse_filter(query);
    if (!wanted)
        return wanted.error();
    auto const limit = query.integer("limit", 1, limit_max, 50);
    if (!limit)
        return limit.error();
    auto const cursor = query.integer("cursor", 1, newest, newest);
    if (!cursor)
        return cursor.error();
    if (request.key->role != role::admin)
        wanted->owner = request.key->owner;
    return answer_with(succeeded_with_list(
        {}, "batches",
        std::make_unique<batch_list>(request.service.batches(), std::move(*wanted),
                                     static_cast<std::uint64_t>(*cursor),
                                     static_cast<std::uint64_t>(*limit))));
}

} // namespace belay::http
