// GET /v1/events and /v1/batches/{id}/events: what becomes of batches, as it does.
#include "message/json_text.hpp"
#include "resources/resources.hpp"
#include "service/event_hub.hpp"
#include "service/views.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace belay::http {

namespace {

using clock = std::chrono::steady_clock;

constexpr std::size_t events_piece_bytes = 16 * 1024;

/// A reader that hears nothing for this long is sent a comment: so it knows that it is connected,
/// and the server whether it is there.
constexpr std::chrono::seconds silence_max{15};

class event_stream final : public live_source {
public:
    /// `last` is what the reader has had; nothing if that is not known.
    event_stream(event_hub& hub, std::shared_ptr<event_hub::reader const> reader,
                 event_log::selection selection, std::optional<recorded_batch> batch,
                 std::optional<event_log::position> last, bool begins_anew)
        : hub_(hub),
          reader_(std::move(reader)),
          selection_(std::move(selection)),
          batch_(std::move(batch)),
          begins_anew_(begins_anew)
    {
        if (last)
            cursor_ = event_log::cursor{.number = last->number};
    }

    bool next(std::string& out) override
    {
        if (hub_.is_closed() || is_over())
            return false;
        auto const& log = hub_.log();
        if (!has_begun_) {
            out += "retry: 2000\n";
            has_begun_ = true;
        }
        if (!cursor_ || !log.has_all_after(cursor_->number, selection_))
            begin(out);
        else
            log.read(selection_, *cursor_, events_piece_bytes, out);
        auto const now = clock::now();
        if (out.empty() && now >= spoke_ + silence_max) {
            // It may have been forgotten before its end could be told of.
            if (batch_ && is_terminal(batch_->state()))
                begin(out);
            else
                out += ":\n\n";
        }
        if (!out.empty())
            spoke_ = now;
        return true;
    }

    [[nodiscard]] wait_for_end wait() override
    {
        auto& log = hub_.log();
        auto const left =
            std::chrono::ceil<std::chrono::milliseconds>(spoke_ + silence_max - clock::now());
        return {[&log](std::function<void()> woken) { return log.subscribe(std::move(woken)); },
                [&log](std::uint64_t subscription) { log.unsubscribe(subscription); },
                std::max(left, std::chrono::milliseconds(1))};
    }

private:
    /// From what is now on: a reader that has missed something is told so; one of a single batch
    /// is shown where that stands.
    void begin(std::string& out)
    {
        auto const& log = hub_.log();
        bool const has_missed = cursor_ || !begins_anew_;
        cursor_ = event_log::cursor{.number = log.last()};
        event_log::position at{.number = cursor_->number};
        if (has_missed)
            out += "id: " + log.id_of(at) + "\nevent: resync\ndata: {}\n\n";
        if (!batch_) {
            out += "id: " + log.id_of(at) + "\n\n";
            return;
        }
        auto const status = batch_->status();
        cursor_->state = status.state;
        if (is_terminal(status.state))
            at.ended = batch_->sequence();
        out += "id: " + log.id_of(at) + "\nevent: batch." + std::string(to_string(status.state)) +
               "\ndata: " + to_json(event_view(*batch_, status)) + "\n\n";
    }

    /// Whether the end of its batch has been told.
    [[nodiscard]] bool is_over() const noexcept
    {
        return batch_ && cursor_ && cursor_->state && is_terminal(*cursor_->state);
    }

    event_hub& hub_;
    std::shared_ptr<event_hub::reader const> reader_;
    event_log::selection const selection_;
    std::optional<recorded_batch> const batch_;
    std::optional<event_log::cursor> cursor_;
    bool begins_anew_;
    bool has_begun_ = false;
    clock::time_point spoke_ = clock::now();
};

} // namespace

made_operation get_events(admitted request)
{
    if (auto error = request.query.only({"jobs"}))
        return std::move(*error);
    auto const jobs = request.query.boolean("jobs", false);
    if (!jobs)
        return jobs.error();
    auto& hub = request.service.events();
    event_log::selection selection{.batch = {}, .owner = {}, .jobs = *jobs};
    if (request.batch)
        selection.batch = request.batch->sequence();
    else if (request.key->role != role::admin)
        selection.owner = request.key->owner;
    auto const& last_seen = request.head.last_event_id;
    auto last = last_seen ? hub.log().position_of(*last_seen) : std::nullopt;
    if (last && request.batch && is_terminal(request.batch->state())) {
        auto const end = hub.log().end_of(*selection.batch);
        bool const is_of_another = last->ended != 0 && last->ended != *selection.batch;
        if (last->ended == *selection.batch || (end && last->number >= *end && !is_of_another))
            return answer_with({.status = 204, .content_type = {}}); // a browser comes back no more
        if (!end || is_of_another)
            last.reset();
    }
    auto reader = hub.add_reader(*request.key, *jobs, clock::now());
    if (!reader)
        return reader.error();
    response answer{.content_type = "text/event-stream",
                    .fields = {{"X-Accel-Buffering", "no"}}}; // or nginx keeps them back
    answer.live =
        std::make_unique<event_stream>(hub, std::move(*reader), std::move(selection),
                                       std::move(request.batch), last, !last_seen.has_value());
    return answer_with(std::move(answer));
}

} // namespace belay::http
