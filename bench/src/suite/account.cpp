#include "suite/account.hpp"

namespace belay::bench {

void check_account(state_tally const& found, batch_status const& status)
{
    using enum job_state;
    expect(is_terminal(status.state), "the batch has ended");
    expect(found.of(pending) == 0 && found.of(running) == 0, "every job has ended");
    expect(status.jobs.pending == 0 && status.jobs.running == 0, "the account is of ended jobs");
    expect(found.of(succeeded) == status.jobs.succeeded,
           "as many jobs succeeded as the account says");
    expect(found.of(failed) == status.jobs.failed, "as many failed as the account says");
    expect(found.of(cancelled) == status.jobs.cancelled(),
           "as many were cancelled as the account says");
    expect(status.jobs.ended() == status.jobs.total, "the account adds up");
}

} // namespace belay::bench
