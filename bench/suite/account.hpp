#ifndef BELAY_BENCH_ACCOUNT_HPP
#define BELAY_BENCH_ACCOUNT_HPP

#include "suite/program.hpp"

#include <belay/batch.hpp>

#include <cstdint>
#include <type_traits>

namespace belay::bench {

/// Reads the state of every job of a batch that has ended, and holds them against its account
/// (G6). Throws `wrong_result`.
void check_states(any_batch const& batch, batch_status const& status);

/// The same, and reads the values: that of each job that succeeded must be its index.
template <class R>
void check_jobs(batch<R> const& batch, batch_status const& status)
{
    check_states(batch, status);
    for (std::uint64_t index = 0; index != batch.size(); ++index) {
        if (batch.job_state_of(index) != job_state::succeeded)
            continue;
        if constexpr (std::is_void_v<R>)
            batch.value(index);
        else if (batch.value(index) != index)
            throw wrong_result("a job has the value of another one");
    }
}

} // namespace belay::bench

#endif
