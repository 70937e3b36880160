#ifndef BELAY_BATCH_AFTERWARDS_HPP
#define BELAY_BATCH_AFTERWARDS_HPP

#include "batch/retries.hpp"
#include "batch/stop_signals.hpp"
#include "batch/subscriptions.hpp"
#include "batch/suspect_jobs.hpp"
#include "store/store.hpp"

#include <belay/detail/asynchronous.hpp>
#include <belay/detail/work.hpp>
#include <belay/executor.hpp>

#include <exception>
#include <functional>
#include <memory>
#include <stop_token>
#include <thread>
#include <vector>

namespace belay::detail {

struct cancel_commit;

using token_callback = std::stop_callback<std::function<void()>>;

/// What a store is to be asked for.
struct store_write {
    any_change what;
    persistence how;
    store::completion done;
};

/// What has to be done once the lock is gone.
struct afterwards {
    std::vector<store_write> writes;
    std::shared_ptr<cancel_commit const> cancel;
    std::vector<stop_signals::telling> told;
    std::vector<std::shared_ptr<asynchronous_body>> stopped;
    std::vector<std::shared_ptr<asynchronous_body>> killed;
    std::vector<std::shared_ptr<asynchronous_body>> abandoned;
    std::vector<std::shared_ptr<asynchronous_body>> waiting_bodies; ///< to try once more
    std::vector<std::function<void()>> callbacks;
    subscriptions subscribers; ///< of a batch that is over
    std::shared_ptr<detail::work> work;
    std::unique_ptr<token_callback> token;
    retries waiting;
    struct lost_thread {
        executor& of;
        std::thread::id id;
    };
    std::vector<lost_thread> threads_lost;
    std::exception_ptr put_off; ///< why a runner could not be posted
    suspect_jobs::news of_suspects;
    bool fail_fast = false;
    bool wake_sleepers = false;
    bool sealed = false;
    bool let_go = false;
    bool interrupted = false;

    /// Whether nothing of it has to be done; what is only to be destroyed does not count.
    [[nodiscard]] bool is_empty() const noexcept
    {
        return writes.empty() && !cancel && told.empty() && stopped.empty() && killed.empty() &&
               waiting_bodies.empty() && callbacks.empty() && threads_lost.empty() && !put_off &&
               of_suspects.is_empty() && !fail_fast && !wake_sleepers && !sealed && !let_go &&
               !interrupted;
    }
};

} // namespace belay::detail

#endif
