#include "batch/thread_turns.hpp"

#include "base/problem_board.hpp"
#include "batch/host.hpp"

#include <utility>

namespace belay::detail {

thread_turns::stay::stay(executor& of)
{
    auto& thread = here();
    if (thread.carrier_ != nullptr)
        return;
    carrier_ = std::make_shared<carrier>(of);
    thread.carrier_ = &carrier_;
}

thread_turns::stay::~stay()
{
    if (!carrier_)
        return;
    here().carrier_ = nullptr;
    if (!carrier_->is_lost.exchange(false))
        return;
    auto const lost_by = std::exchange(carrier_->lost_by, nullptr);
    lost_by->counted.threads_abandoned -= 1;
    lost_by->board().attempt("executor", "thread_returned",
                             [&] { carrier_->of.thread_returned(); });
}

} // namespace belay::detail
