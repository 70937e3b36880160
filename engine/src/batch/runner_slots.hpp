#ifndef BELAY_BATCH_RUNNER_SLOTS_HPP
#define BELAY_BATCH_RUNNER_SLOTS_HPP

#include <belay/clock.hpp>
#include <belay/detail/slot.hpp>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <ranges>
#include <utility>
#include <vector>

namespace belay::detail {

/// The slots of a batch, and where each stands: *idle*, *posted* (its runner is queued, or in its
/// turn), or *abandoned* with the body in it; and once that body is back, *returned*, to be used
/// again. A turn makes room for all that its end needs, so that a runner that leaves never needs
/// memory.
///
/// Thread safety: none.
class runner_slots {
public:
    explicit runner_slots(std::uint64_t count)
    {
        for (std::uint64_t i = 0; i != count; ++i)
            slots_.push_back(std::make_unique<slot>());
        look_at_.resize(count);
        make_room();
        for (auto const& place : std::views::reverse(slots_))
            idle_.push_back(place.get()); // the last is the next
    }

    [[nodiscard]] auto const& all() const noexcept { return slots_; }
    [[nodiscard]] std::size_t size() const noexcept { return slots_.size(); }

    /// How many are in a turn, those of abandoned bodies not.
    [[nodiscard]] std::size_t inside() const noexcept { return inside_; }
    /// Those that a thread is in, abandoned ones not; the others of those inside hold a job that
    /// runs without one.
    [[nodiscard]] std::vector<slot*> const& on_thread() const noexcept { return on_thread_; }
    /// No attempt in the slot with the same index can run out of time before.
    [[nodiscard]] std::vector<time_point>& look_at() noexcept { return look_at_; }

    [[nodiscard]] bool has_idle() const noexcept { return !idle_.empty(); }
    /// One that is idle, and now is posted.
    [[nodiscard]] slot& post_idle() noexcept
    {
        slot& place = *idle_.back();
        idle_.pop_back();
        place.posted = true;
        return place;
    }
    /// One whose runner has not begun; null if there is none.
    [[nodiscard]] slot* find_queued() const noexcept
    {
        auto const found = std::ranges::find_if(slots_, [](auto const& place) {
            return place->posted && !place->in_turn && !place->abandoned;
        });
        return found == slots_.end() ? nullptr : found->get();
    }

    /// Its runner does not begin, or has left: it is idle.
    void rest(slot& place) noexcept
    {
        place.posted = false;
        idle_.push_back(&place);
    }

    /// The runner of one that is posted begins its turn on this thread.
    void begin_turn(slot& place, std::shared_ptr<carrier> thread) noexcept
    {
        assert(place.posted && !place.in_turn && !place.abandoned);
        place.in_turn = true;
        place.thread = std::move(thread);
        on_thread_.push_back(&place);
        ++inside_;
    }
    /// It ends it: it is still posted.
    void end_turn(slot& place) noexcept
    {
        assert(place.in_turn && inside_ != 0);
        place.in_turn = false;
        leave_thread(place);
        --inside_;
    }

    /// What is in it goes on without its thread; and is in the hands of one again.
    void leave_thread(slot& place) noexcept { std::erase(on_thread_, &place); }
    void enter_thread(slot& place) noexcept { on_thread_.push_back(&place); }

    /// The body in it is given up: its runner can change nothing of the batch any more.
    void abandon(slot& place) noexcept
    {
        assert(place.in_turn && !place.abandoned && inside_ != 0);
        place.abandoned = true;
        leave_thread(place);
        --inside_;
    }
    /// One in place of `lost`, posted: it goes on with what that had claimed.
    [[nodiscard]] slot& replace(slot const& lost)
    {
        if (returned_.empty()) {
            slots_.push_back(std::make_unique<slot>());
            look_at_.emplace_back();
            make_room();
            returned_.push_back(slots_.back().get());
        }
        slot& fresh = *returned_.back();
        returned_.pop_back();
        fresh.range_begin = lost.range_begin.load();
        fresh.range_end = lost.range_end.load();
        fresh.posted = true;
        return fresh;
    }
    /// The abandoned body in it is back.
    void give_back(slot& place) noexcept
    {
        assert(place.abandoned);
        for (auto* const job : {&place.current, &place.stop_index, &place.timed_out,
                                &place.undecided, &place.progress_of})
            *job = no_index;
        place.range_end = 0;
        place.posted = false;
        place.in_turn = false;
        place.abandoned = false;
        returned_.push_back(&place);
    }

    /// Whether each slot stands in one place.
    [[nodiscard]] bool is_consistent() const noexcept
    {
        std::size_t posted = 0;
        std::size_t in_turn = 0;
        for (auto const& place : slots_) {
            posted += place->posted;
            in_turn += place->in_turn && !place->abandoned;
        }
        return in_turn == inside_ && on_thread_.size() <= inside_ &&
               posted + idle_.size() + returned_.size() == slots_.size();
    }

private:
    void make_room()
    {
        for (auto* const list : {&on_thread_, &idle_, &returned_})
            list->reserve(slots_.capacity());
    }

    std::vector<std::unique_ptr<slot>> slots_; ///< never fewer
    std::vector<slot*> on_thread_;
    std::vector<slot*> idle_;
    std::vector<slot*> returned_;
    std::vector<time_point> look_at_;
    std::size_t inside_ = 0;
};

} // namespace belay::detail

#endif
