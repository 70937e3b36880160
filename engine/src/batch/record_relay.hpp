#ifndef BELAY_BATCH_RECORD_RELAY_HPP
#define BELAY_BATCH_RECORD_RELAY_HPP

#include "store/store.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

namespace belay::detail {

class batch_core;

/// What a store tells of the records of one batch, which need not live until then.
///
/// The batch and each record that is under way own it together; it destroys itself when the last of
/// them lets go. It keeps the states of the jobs, so that they lie in their file for as long.
/// Thread safety: full.
class record_relay final : public job_listener {
public:
    record_relay(std::weak_ptr<batch_core> core, state_array states) noexcept;

    /// A record is about to be handed over.
    void add() noexcept { owners_.fetch_add(1, std::memory_order_relaxed); }
    /// So many records are not under way any more, or the batch ends, which counts as one.
    void release(std::uint64_t count) noexcept;
    /// How many records are under way; for the batch.
    [[nodiscard]] std::uint64_t under_way() const noexcept { return owners_.load() - 1; }

    void committed(std::span<job_record const> records) noexcept override;
    [[nodiscard]] bool refused(job_record const& record, job_byte was) noexcept override;
    void dropped(std::span<job_record const> records) noexcept override;

private:
    ~record_relay() = default;

    std::weak_ptr<batch_core> const core_;
    state_array const states_;
    std::atomic<std::uint64_t> owners_{1};
};

} // namespace belay::detail

#endif
