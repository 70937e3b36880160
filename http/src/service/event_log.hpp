#ifndef BELAY_HTTP_SERVICE_EVENT_LOG_HPP
#define BELAY_HTTP_SERVICE_EVENT_LOG_HPP

#include <belay/state.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace belay::http {

/// The events that came last, as they are sent: the `text/event-stream` of the HTML standard. Each
/// reader goes through them at its own pace, and none is waited for: whoever is too late is told
/// that it has missed some.
///
/// Events have numbers, from 1; their ids are these with the log's epoch before them. Thread
/// safety: none.
class event_log {
public:
    enum class kind : std::uint8_t {
        batch, ///< of a batch
        job,   ///< of one of its jobs: there are many, and they push out no others
    };

    /// Which of them a reader wants.
    struct selection {
        std::optional<std::uint64_t> batch = {}; ///< by sequence; of all unless set
        std::optional<std::string> owner = {};   ///< likewise
        bool jobs = false;
    };

    /// What an event is about.
    struct event {
        event_log::kind kind = kind::batch;
        std::uint64_t batch = 0; ///< by sequence
        std::string owner = {};
        std::optional<batch_state> state = {}; ///< that the batch has entered; terminal: its last
    };

    /// Where a reader is.
    struct cursor {
        std::uint64_t number = 0; ///< of the last event that it has had
        std::optional<batch_state> state =
            {}; ///< of its batch, if it reads of one, that it has seen
    };

    /// `events_max` of each kind are kept.
    event_log(std::string epoch, std::size_t events_max);

    /// Adds an event; `data` is one line.
    void add(event event, std::string_view name, std::string_view data);

    /// Others have come to pass that are not here: whoever is not at the end yet has missed them.
    void skip(kind kind);

    /// The number of the last; 0 before the first.
    [[nodiscard]] std::uint64_t last() const noexcept { return last_; }

    /// The number of the last event of a batch, if that is here.
    [[nodiscard]] std::optional<std::uint64_t> end_of(std::uint64_t batch) const noexcept;

    /// What an id says: that its reader has had all up to that number, and also the end of `ended`,
    /// a batch by its sequence, if that is not 0.
    struct position {
        std::uint64_t number = 0;
        std::uint64_t ended = 0;
        bool operator==(position const&) const = default;
    };
    [[nodiscard]] std::string id_of(position const& at) const;
    /// Nothing for an id of another epoch, and for what is none.
    [[nodiscard]] std::optional<position> position_of(std::string_view id) const;

    /// Whether all of the selection is still here that came after that number.
    [[nodiscard]] bool has_all_after(std::uint64_t number,
                                     selection const& selection) const noexcept;

    /// Appends what is here of the selection after the cursor, until `out` has so many bytes, and
    /// moves the cursor to the last of what was looked at. Where one batch is selected that does
    /// not go back to a state before the one that was seen.
    void read(selection const& selection, cursor& cursor, std::size_t bytes_max,
              std::string& out) const;

    /// Calls back once, at the next `wake`; gives what `unsubscribe` takes.
    std::uint64_t subscribe(std::function<void()> woken);
    void unsubscribe(std::uint64_t subscription) noexcept { waiting_.erase(subscription); }
    void wake();

private:
    struct entry {
        std::uint64_t number;
        event about;
        std::string text;
    };
    struct ring {
        std::deque<entry> events;
        std::uint64_t gone = 0; ///< the number of the last that is not here any more, or never was
    };

    [[nodiscard]] ring& of(kind kind) noexcept { return kind == kind::batch ? batches_ : jobs_; }

    std::string const epoch_;
    std::size_t const events_max_;
    std::uint64_t last_ = 0;
    ring batches_;
    ring jobs_;
    std::map<std::uint64_t, std::function<void()>> waiting_;
    std::uint64_t next_subscription_ = 1;
};

} // namespace belay::http

#endif
