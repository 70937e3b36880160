#include "suite/account.hpp"

#include <array>
#include <cstddef>

namespace belay::bench {

void check_states(any_batch const& batch, batch_status const& status)
{
    std::array<std::uint64_t, 5> found{};
    for (std::uint64_t index = 0; index != batch.size(); ++index)
        ++found[static_cast<std::size_t>(batch.job_state_of(index))];
    auto const of = [&](job_state state) { return found[static_cast<std::size_t>(state)]; };

    expect(is_terminal(status.state), "the batch has ended");
    expect(status.jobs.total == batch.size(), "the account is of every job");
    expect(of(job_state::pending) == 0 && of(job_state::running) == 0, "every job has ended");
    expect(status.jobs.pending == 0 && status.jobs.running == 0, "the account is of ended jobs");
    expect(of(job_state::succeeded) == status.jobs.succeeded,
           "as many jobs succeeded as the account says");
    expect(of(job_state::failed) == status.jobs.failed, "as many failed as the account says");
    expect(of(job_state::cancelled) == status.jobs.cancelled(),
           "as many were cancelled as the account says");
    expect(status.jobs.ended() == status.jobs.total, "the account adds up");
}

} // namespace belay::bench
