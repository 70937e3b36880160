#ifndef BELAY_HTTP_SERVER_ACTIVITY_HPP
#define BELAY_HTTP_SERVER_ACTIVITY_HPP

#include "server/client_pace.hpp"
#include "server/counted.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace belay::http {

/// What a session is at and since when: what is asked by those who want its place, and by those who
/// wait until the server is quiet. Knows no socket; time is given.
class activity {
public:
    using time_point = std::chrono::steady_clock::time_point;
    using duration = std::chrono::steady_clock::duration;

    enum class phase : std::uint8_t {
        idle,
        receiving,
        working,
        waiting,
        sending,
        following, ///< an answer goes on once something has come to pass
        lingering,
    };

    /// What the session waits in, to do a piece of its work or to have it done.
    enum class line : std::uint8_t { none, control, bulk, reading };

    /// What a session that is to give way has to do.
    enum class yield : std::uint8_t { nothing, end_wait, end_read, close };

    /// Counts in `places` while it is not on its way out.
    activity(std::size_t& places, time_point now)
        : place_(places, 1), pace_(now), began_(now), last_moved_(now)
    {
    }

    void begin(phase phase, time_point now) noexcept;

    /// The wait for the end of what was cancelled; others may end it where it may be cut.
    void begin_wait(bool may_be_cut, time_point now) noexcept;

    void enter_line(line line, time_point now) noexcept;
    /// How long it stood there, which its client is not charged for.
    duration leave_line(time_point now) noexcept;

    /// So many bytes came or went.
    void moved(std::uint64_t bytes, time_point now) noexcept;

    /// A request of which there may only be so many is under way.
    void begin_limited() noexcept { is_limited_ = true; }
    /// From here on what was done for the request has to be told.
    void act() noexcept { has_acted_ = true; }
    /// Its answer goes on as things come to pass, until the request has it.
    void begin_live() noexcept { is_live_ = true; }
    /// The request has its answer.
    void end_request(time_point now) noexcept;

    /// It is on its way out.
    void give_up_place() noexcept { place_.set(0); }
    /// The same, since its place is wanted.
    [[nodiscard]] yield give_way() noexcept;

    [[nodiscard]] bool has_place() const noexcept { return place_.get() != 0; }
    [[nodiscard]] bool gives_way() const noexcept { return gives_way_; }

    /// Whether it gives way, and there is nothing of its request that has to be told.
    [[nodiscard]] bool is_given_up() const noexcept
    {
        return gives_way_ && !(has_acted_ && phase_ == phase::working);
    }

    /// Whether there is a request that came in and has no answer yet, not even one that is being
    /// read.
    [[nodiscard]] bool is_at_work() const noexcept
    {
        return (phase_ == phase::working || phase_ == phase::waiting) && line_ != line::reading;
    }

    /// Whether it is not the client that is waited for.
    [[nodiscard]] bool is_busy() const noexcept { return is_at_work() || line_ != line::none; }

    /// Whether it has an answer that goes on and its client takes that: it does not give way then.
    [[nodiscard]] bool keeps_place(time_point now) const noexcept;

    /// Whether its request waits in a line, and nothing of what it asks for has been done or
    /// answered.
    [[nodiscard]] bool is_only_queued() const noexcept
    {
        return line_ != line::none && !has_acted_ && phase_ != phase::sending;
    }
    [[nodiscard]] bool is_queued_as_control() const noexcept { return line_ == line::control; }

    /// Whether it waits for the next piece of an answer that has begun.
    [[nodiscard]] bool is_between_pieces() const noexcept
    {
        return phase_ == phase::sending && line_ == line::reading;
    }
    [[nodiscard]] bool is_sending() const noexcept { return phase_ == phase::sending; }

    /// Whether it has had an answer, and is only kept so that its client sees it.
    [[nodiscard]] bool is_lingering() const noexcept { return phase_ == phase::lingering; }

    /// Whether nothing has come or gone yet.
    [[nodiscard]] bool is_new() const noexcept { return !has_moved_; }
    /// When something did last, or when the connection was made.
    [[nodiscard]] time_point last_moved() const noexcept { return last_moved_; }

    /// Whether it has answered a request.
    [[nodiscard]] bool has_answered() const noexcept { return answered_ != time_point(); }
    /// Whether it has not done so for a while.
    [[nodiscard]] bool is_fresh(time_point now) const noexcept;

    /// Whether its request is one of those of which there may only be so many.
    [[nodiscard]] bool is_limited() const noexcept { return is_limited_; }

    /// Since when its cancel waits for the end of what was cancelled, if it may be answered before.
    [[nodiscard]] std::optional<time_point> waits_since() const noexcept { return waits_since_; }

    /// Whether a body comes in or an answer goes out, at this time: it was not the client that was
    /// waited for, or not for long.
    [[nodiscard]] bool is_moving(time_point now) const noexcept;

    /// Seconds for each byte, if a body or the taking of an answer is waited for and that is slow.
    [[nodiscard]] std::optional<double> slowness(time_point now) const noexcept;

private:
    counted<std::size_t> place_;
    client_pace pace_;
    time_point began_; ///< the phase, without the time in lines
    time_point last_moved_;
    time_point answered_{}; ///< last; never if it was not
    std::optional<time_point> waits_since_;
    phase phase_ = phase::idle;
    line line_ = line::none;
    time_point line_began_{};
    bool has_moved_ = false;
    bool is_limited_ = false;
    bool has_acted_ = false;
    bool gives_way_ = false;
    bool is_live_ = false;
};

} // namespace belay::http

#endif
