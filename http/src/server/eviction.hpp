#ifndef BELAY_HTTP_SERVER_EVICTION_HPP
#define BELAY_HTTP_SERVER_EVICTION_HPP

#include "server/activity.hpp"

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <vector>

namespace belay::http {

class session;

/// A session, as whoever wants its place knows it.
class evictable {
public:
    [[nodiscard]] virtual activity const& state() const noexcept = 0;

    /// Whether the client will send no more. A call of the system, as the next is.
    [[nodiscard]] virtual bool has_client_finished() noexcept = 0;

    /// Whether there is a request that was not read yet, or more of one, and is not held back by an
    /// answer that is to be taken before.
    [[nodiscard]] virtual bool has_client_sent() noexcept = 0;

    /// Closes the connection at once.
    virtual void close() noexcept = 0;

    /// Ends what it does for its client: a body is refused, an answer that is being taken is cut, a
    /// cancel that waits answered as at the end of its wait. Then the connection is closed.
    virtual void give_way() noexcept = 0;

protected:
    evictable() = default;
    evictable(evictable const&) = default;
    evictable& operator=(evictable const&) = default;
    ~evictable() = default;
};

/// Has connections give way to others, in the order that docs/http.md has. It has looked at all of
/// them once, and knows nothing of what has happened since.
class eviction {
public:
    /// Sessions are pointers to what is `evictable`, and outlive this.
    template <class Sessions>
    eviction(Sessions const& sessions, activity::time_point now) : now_(now)
    {
        for (auto const& each : sessions)
            add(*each);
        sort();
    }

    /// Whether there is a place, or will be.
    enum class room : std::uint8_t { none, soon, at_once };

    /// Has the next one give way, if the other can wait one that has been silent or a cancel that
    /// has waited for a while.
    room make(bool can_wait);

private:
    /// A session that counts, and since when it has been the way that counts.
    struct candidate {
        activity::time_point since;
        evictable* of;
        bool is_new = false; ///< nothing has come on it
        bool has_answered = false;
        std::optional<bool> has_sent = {};     ///< once it was asked: what is still to be read
        std::optional<bool> has_finished = {}; ///< once it was asked
    };
    using candidates = std::vector<candidate>; // the first of them first

    /// Who is to go, and how; nobody if `of` is null.
    struct choice {
        evictable* of;
        bool is_closed; ///< or else ends what it does, and then is closed
    };
    [[nodiscard]] static choice to_close(candidate const* one) noexcept
    {
        return {one == nullptr ? nullptr : one->of, true};
    }
    [[nodiscard]] static choice to_give_way(candidate const* one) noexcept
    {
        return {one == nullptr ? nullptr : one->of, false};
    }

    void add(evictable& one);
    void sort();

    // The rules.
    [[nodiscard]] choice silent_or_finished();
    [[nodiscard]] choice finished_cancel();
    [[nodiscard]] choice long_cancel();
    [[nodiscard]] choice silent_for_a_moment();
    [[nodiscard]] choice longest_cancel();
    [[nodiscard]] choice silent_after_answer();
    [[nodiscard]] choice queued_request();
    [[nodiscard]] choice in_the_middle();

    [[nodiscard]] bool is_silent_for(activity::duration time) const;
    [[nodiscard]] static std::vector<candidate*> some(candidates& of);
    [[nodiscard]] std::vector<candidate*> silent(bool after_an_answer);
    [[nodiscard]] static candidate const* finished(std::vector<candidate*> const& among);
    room carry_out(choice chosen);

    activity::time_point const now_;
    candidates idle_;    ///< without a request that the server is at work for
    candidates waiting_; ///< cancels
    candidates queued_;  ///< for a turn
    candidates queued_cancels_;
    candidates between_;             ///< pieces of an answer
    std::vector<candidate*> silent_; ///< `silent(false)`, while one is being chosen
};

/// Has the slowest of the clients that are waited for give way, among those whose session `counts`;
/// false if none is slow.
bool slowest_gives_way(std::list<std::shared_ptr<session>> const& sessions,
                       std::function<bool(session const&)> const& counts);

} // namespace belay::http

#endif
