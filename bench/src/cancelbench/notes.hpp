// How every peer in C++ measures: the same for all of them.
#ifndef BELAY_CANCELBENCH_NOTES_HPP
#define BELAY_CANCELBENCH_NOTES_HPP

#include "cancelbench/ledger.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace belay::cancelbench {

/// Nanoseconds of CLOCK_MONOTONIC.
[[nodiscard]] inline std::int64_t now_ns() noexcept
{
    return std::chrono::steady_clock::now().time_since_epoch().count();
}

/// What the bodies of one run did and when: each thread notes it in a place of its own, so that the measuring
/// costs the same whatever is measured.
///
/// Thread safety: full; what is read is whole once no body runs.
class notes {
public:
    static constexpr std::size_t threads_max = 64;

    /// The bodies of which note their times in `ledger`, too, unless it is null.
    explicit notes(ledger const* ledger = nullptr) noexcept : ledger_(ledger) {}
    notes(notes const&) = delete;
    notes& operator=(notes const&) = delete;

    /// A body's first act; the time.
    std::int64_t enter(std::uint64_t index) noexcept
    {
        auto const time = now_ns();
        if (ledger_)
            ledger_->jobs()[index].started.store(time, std::memory_order_relaxed);
        auto& place = mine();
        add(place.started, 1);
        add(place.inside, 1);
        return time;
    }

    /// A body has just been told to stop.
    void see() noexcept { latest(mine().seen, now_ns()); }

    enum class ending { finished, interrupted, at_once };

    /// A body's last act. It was interrupted `at_once` if its first question told it to stop: then it
    /// did nothing since `entered`.
    void leave(std::uint64_t index, ending how, std::int64_t entered) noexcept
    {
        auto& place = mine();
        add(how == ending::finished ? place.finished : place.interrupted, 1);
        add(place.inside, -1);
        auto const time = now_ns();
        latest(place.left, time);
        if (ledger_)
            ledger_->jobs()[index].left.store(how == ending::finished      ? time
                                              : how == ending::interrupted ? -time
                                                                           : -entered,
                                              std::memory_order_relaxed);
    }

    /// How many bodies are between the two.
    [[nodiscard]] std::int64_t inside() const noexcept { return sum(&place::inside); }
    [[nodiscard]] std::int64_t started() const noexcept { return sum(&place::started); }
    [[nodiscard]] std::int64_t finished() const noexcept { return sum(&place::finished); }
    [[nodiscard]] std::int64_t interrupted() const noexcept { return sum(&place::interrupted); }

    /// When the last body did; nothing if none has.
    [[nodiscard]] std::optional<std::int64_t> seen() const noexcept { return last(&place::seen); }
    [[nodiscard]] std::optional<std::int64_t> left() const noexcept { return last(&place::left); }

private:
    using number = std::atomic<std::int64_t>;
    struct alignas(128) place { // written by one thread
        number inside{0};
        number started{0};
        number finished{0};
        number interrupted{0};
        number seen{0};
        number left{0};
    };

    static void add(number& to, std::int64_t value) noexcept
    {
        to.store(to.load(std::memory_order_relaxed) + value, std::memory_order_release);
    }
    static void latest(number& to, std::int64_t time) noexcept
    {
        to.store(time, std::memory_order_release);
    }
    static std::size_t this_thread();
    place& mine() noexcept
    {
        thread_local std::size_t const number = this_thread();
        return places_[number];
    }
    [[nodiscard]] std::int64_t sum(number place::*what) const noexcept;
    [[nodiscard]] std::optional<std::int64_t> last(number place::*what) const noexcept;

    ledger const* const ledger_;
    std::array<place, threads_max> places_{};
};

/// A body that keeps its processor busy for `body_ns` and asks `stop_requested()` about every `poll_ns`.
/// Whether it got to its end.
template <class StopRequested>
bool poll_body(notes& notes, std::uint64_t index, std::int64_t body_ns, std::int64_t poll_ns,
               StopRequested stop_requested)
{
    using enum notes::ending;
    auto const entered = notes.enter(index);
    auto const end = entered + body_ns;
    for (auto time = entered; time < end;) {
        if (stop_requested()) {
            notes.see();
            notes.leave(index, time == entered ? at_once : interrupted, entered);
            return false;
        }
        auto const next = time + poll_ns;
        while ((time = now_ns()) < next) {
        }
    }
    notes.leave(index, finished, entered);
    return true;
}

/// Keeps the processor busy for so long; nothing for 0, not even a look at the clock.
inline void spin(std::int64_t nanoseconds) noexcept
{
    if (nanoseconds == 0)
        return;
    auto const end = now_ns() + nanoseconds;
    while (now_ns() < end) {
    }
}

} // namespace belay::cancelbench

#endif
