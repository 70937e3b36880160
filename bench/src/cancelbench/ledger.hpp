#ifndef BELAY_CANCELBENCH_LEDGER_HPP
#define BELAY_CANCELBENCH_LEDGER_HPP

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <span>

namespace belay::cancelbench {

/// When a job's body started and left, in a file that driver and peer both map: so it is true also of a
/// peer that was killed.
///
/// Lifetime: the mapping, not the file. Thread safety: a job is written by one thread.
class ledger {
public:
    /// Nanoseconds of CLOCK_MONOTONIC; 0 for what has not happened. `left` is negative for a body
    /// that was interrupted.
    struct job {
        std::atomic<std::int64_t> started;
        std::atomic<std::int64_t> left;
    };
    static_assert(sizeof(job) == 16);

    /// Makes the file for so many jobs, none of which has started. Throws std::system_error.
    static ledger make(std::filesystem::path const& file, std::uint64_t jobs);

    /// Maps a file that was made so. Throws std::system_error, `wrong_line` for another size.
    static ledger open(std::filesystem::path const& file);

    ledger(ledger&& other) noexcept;
    ledger& operator=(ledger&&) = delete;
    ~ledger();

    [[nodiscard]] std::span<job> jobs() const noexcept { return jobs_; }

private:
    explicit ledger(std::span<job> jobs) noexcept : jobs_(jobs) {}
    static ledger map(std::filesystem::path const& file, std::uint64_t bytes);
    std::span<job> jobs_;
};

} // namespace belay::cancelbench

#endif
