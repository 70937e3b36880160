#ifndef BELAY_BENCH_ACCOUNT_HPP
#define BELAY_BENCH_ACCOUNT_HPP

#include "suite/expect.hpp"

#include <belay/batch.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace belay::bench {

/// How many jobs are in each state, as counted one by one.
class state_tally {
public:
    void add(job_state state) { ++counts_.at(static_cast<std::size_t>(state)); }

    [[nodiscard]] std::uint64_t of(job_state state) const
    {
        return counts_.at(static_cast<std::size_t>(state));
    }

private:
    std::array<std::uint64_t, 5> counts_{};
};

/// Holds what was counted against the account of a batch that has ended (G6). Throws
/// `wrong_result`.
void check_account(state_tally const& found, batch_status const& status);

/// Reads the state of every job of a batch that has ended, and the value of each that succeeded,
/// which must be its index. Throws `wrong_result`.
template <class R>
void check_jobs(batch<R> const& batch, batch_status const& status)
{
    expect(status.jobs.total == batch.size(), "the account is of every job");
    state_tally found;
    for (std::uint64_t index = 0; index != batch.size(); ++index) {
        job_state const state = batch.job_state_of(index);
        found.add(state);
        if (state != job_state::succeeded)
            continue;
        if constexpr (std::is_void_v<R>)
            batch.value(index);
        else
            expect(batch.value(index) == index, "the value of a job is its index");
    }
    check_account(found, status);
}

} // namespace belay::bench

#endif
