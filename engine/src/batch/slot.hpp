// What the batch and its readers ask of a slot.
#ifndef BELAY_BATCH_SLOT_HPP
#define BELAY_BATCH_SLOT_HPP

#include <belay/detail/slot.hpp>

#include <cstdint>
#include <optional>

namespace belay::detail {

/// Counts an attempt after a job's first, by the runner of `place`.
void count_repeat(slot& place) noexcept;

/// How many jobs have ended in `place`.
[[nodiscard]] std::uint64_t ended_in(slot const& place) noexcept;

/// Whether a body is in `place` that was counted as entered and not as left.
[[nodiscard]] bool has_body(slot const& place) noexcept;

/// Lets go of what the body in `place` had asked for.
void drop_belongings(slot& place) noexcept;

/// Notes how far a job is that runs in `place`.
void set_progress(slot& place, std::uint64_t index, double fraction) noexcept;

/// What has been reported of a job that runs in, or has just left, `place`.
[[nodiscard]] std::optional<float> progress_of(slot const& place, std::uint64_t index) noexcept;

} // namespace belay::detail

#endif
