#ifndef BELAY_BATCH_ADMISSION_HPP
#define BELAY_BATCH_ADMISSION_HPP

#include "batch/life.hpp"
#include "batch/locked.hpp"
#include "batch/recorder.hpp"

#include <belay/detail/slot.hpp>

#include <cstdint>

namespace belay::detail {

/// Whether more jobs of a batch may start now: what a runner asks before each chunk. How many may
/// run beside each other is the number of the batch's slots, and whether a single job may still be
/// entered when its turn has come is for the gate and the phase to say.
///
/// A cancel reads the lines of memory that this lies in: nothing that runners write belongs in
/// here. Thread safety: full, save that what takes a `locked` wants the mutex of the batch.
class admission {
public:
    enum class answer : std::uint8_t {
        yes,
        not_open,  ///< as the phase says
        congested, ///< too much waits for the store, which says when it does not any more
    };

    /// `recorder` is null of a typed batch.
    explicit admission(recorder const* recorder) noexcept : recorder_(recorder) {}

    /// What a runner is to do before it claims.
    [[nodiscard]] answer ask(detail::phase now) const noexcept
    {
        if (now != phase::open)
            return answer::not_open;
        return recorder_ != nullptr && recorder_->store().is_congested() ? answer::congested
                                                                         : answer::yes;
    }

    /// Whether runners may be posted at all.
    [[nodiscard]] bool may_post(locked const&, batch_life const& life) const noexcept
    {
        return life.is_open() && is_defined_;
    }

    /// It is known what its jobs do, or not yet.
    void define(locked const&, bool is_defined) noexcept { is_defined_ = is_defined; }

private:
    recorder const* const recorder_;
    bool is_defined_ = false;
};

} // namespace belay::detail

#endif
