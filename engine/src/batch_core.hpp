#ifndef BELAY_BATCH_CORE_HPP
#define BELAY_BATCH_CORE_HPP

#include "batch_life.hpp"
#include "gate.hpp"
#include "host.hpp"
#include "retries.hpp"

#include <belay/batch.hpp>
#include <belay/cancel.hpp>
#include <belay/detail/slot.hpp>
#include <belay/detail/work.hpp>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <unordered_map>
#include <vector>

namespace belay::detail {

/// Knows more of the jobs that ended than their states: the times, the failure.
class recorder {
public:
    virtual ~recorder() = default;
    virtual void describe(std::uint64_t index, job_status& status) const = 0;
    /// Only the last failure, of a job that did not begin the attempt after it.
    virtual void describe_failure(std::uint64_t index, job_status& status) const = 0;
};

/// A batch: gate, slots, ledger and life in one place. It knows indices and outcomes, neither
/// inputs nor values.
///
/// Locking: `mutex_` guards whatever is not atomic. Runners take it when their turn begins and
/// ends, never between jobs. No code of a caller's runs while it is held.
class batch_core {
public:
    struct setup {
        std::uint64_t total = 0;
        state_array states;
        std::shared_ptr<detail::work> work;
        std::shared_ptr<recorder const> record = {}; ///< of recorded batches
        batch_options options;                       ///< `concurrency` and `grace` are set
    };

    [[nodiscard]] static std::shared_ptr<batch_core> make(std::shared_ptr<host> host, setup setup);
    batch_core(std::shared_ptr<host> host, setup setup);

    /// Lets the runners in; once, after the host knows the batch.
    void open();

    // Callers (batch_cancel.cpp).
    cancel_result cancel(cancel_request const& request, stop_cause cause);
    job_cancel_result cancel_job(std::uint64_t index, cancel_request const& request,
                                 std::function<void()> on_end);
    bool wait(std::optional<time_point> until);
    std::uint64_t on_end(std::function<void()> callback);
    void unsubscribe(std::uint64_t subscription) noexcept;

    // Readers (batch_view.cpp).
    [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
    [[nodiscard]] batch_options const& options() const noexcept { return options_; }
    [[nodiscard]] std::size_t concurrency() const noexcept { return *options_.concurrency; }
    [[nodiscard]] std::chrono::milliseconds grace() const noexcept { return *options_.grace; }
    [[nodiscard]] batch_state state();
    /// Whether it is terminal, without a lock.
    [[nodiscard]] bool is_sealed() const noexcept { return sealed_.load(); }
    [[nodiscard]] batch_status status();
    [[nodiscard]] job_status job(std::uint64_t index);
    [[nodiscard]] job_state job_state_of(std::uint64_t index);
    void require_job(std::uint64_t index) const;

    /// The control thread's part (batch_tick.cpp): the deadline, time-outs, what is overdue, and
    /// jobs that are due again. Gives the moment at which it wants to be called again while a
    /// runner is inside, if that is sooner than usual.
    time_point tick();

    // Bodies (job.cpp).
    [[nodiscard]] host& owner() noexcept { return *host_; }
    [[nodiscard]] time_point now() const noexcept { return time_.now(); }
    void first_entry(turn& turn) noexcept;
    void lone_stop_ended(std::uint64_t index) noexcept;
    [[nodiscard]] unsigned attempt(std::uint64_t index) const noexcept;
    [[nodiscard]] job_byte attempt_failed(slot const& place, std::uint64_t index,
                                          std::exception_ptr& exception) noexcept;
    [[nodiscard]] bool let_in_at_once(slot& place, std::uint64_t index) noexcept;
    void after_failure(std::uint64_t index, job_byte how);
    [[nodiscard]] bool sleep(slot& place, std::uint64_t index, std::chrono::nanoseconds duration);
    [[nodiscard]] std::stop_token stop_token(slot& place, std::uint64_t index);
    /// Ends the token of the body that ran in `place`; whether it had fired.
    [[nodiscard]] bool end_token(slot& place) noexcept;
    [[nodiscard]] stop_cause cause_of(std::uint64_t index) noexcept;
    [[nodiscard]] bool told_to_stop(slot const& place, std::uint64_t index) const noexcept;
    [[nodiscard]] phase current_phase() const noexcept { return phase_.load(); }

private:
    /// The stop of a single job.
    struct lone_stop {
        std::uint64_t index;
        time_point deadline;
        bool asked_for; ///< by a caller, not by its time-out
        std::vector<std::pair<std::uint64_t, std::function<void()>>> callbacks = {};
    };

    using token_callback = std::stop_callback<std::function<void()>>;

    /// What has to be done once the lock is gone.
    struct afterwards {
        std::vector<std::stop_source> sources;
        std::vector<std::function<void()>> callbacks;
        std::shared_ptr<detail::work> work;
        std::unique_ptr<token_callback> token;
        retries waiting;
        std::vector<std::thread::id> threads_lost;
        bool fail_fast = false;
        bool wake_sleepers = false;
        bool sealed = false;
    };

    // Runners (batch_core.cpp).
    void post(slot& place);
    void take_turn(slot& place);
    void run_quantum(turn& turn, bool& again);
    void run(turn& turn, gate::range range, std::uint64_t& chunk, std::int64_t& now);
    [[nodiscard]] std::optional<gate::range> claim(slot& place, std::uint64_t chunk) noexcept;
    [[nodiscard]] std::optional<gate::range> claim_retry(slot& place, std::int64_t now) noexcept;
    void forget_range(turn& turn) noexcept;
    [[nodiscard]] std::optional<gate::range> help(slot const& self, bool& look_again);
    void ledger_add(std::uint64_t ended) noexcept;
    void leave(turn& turn, bool again);

    // All of these want the lock.
    void seal_if_quiet(afterwards& then);
    void apply(batch_life::actions actions, afterwards& then);
    void abandon(slot& place, afterwards& then);
    void fail_abandoned(slot& place, std::uint64_t index, afterwards& then);
    void time_out(slot& place, time_point now, afterwards& then);
    /// Ends a job alone that waits, as `byte` says; false if it no longer does.
    bool not_started_alone(std::uint64_t index, job_byte byte);
    void end_lone_stop(lone_stop& stop, afterwards& then);
    void sweep_lone_stops(afterwards& then);
    void schedule(std::uint64_t index, time_point now, afterwards& then);
    /// When its deadline passes; `time_point::max()` if it has none.
    [[nodiscard]] time_point expiry() const noexcept;
    void arm(time_point at);
    void post_idle(std::size_t most);
    [[nodiscard]] bool let_in(slot& place, std::uint64_t index) noexcept;
    [[nodiscard]] job_byte next_after_failure(std::uint64_t index) noexcept;
    [[nodiscard]] std::exception_ptr time_out_exception() const;
    void replace(slot& lost);
    void stop_running(std::uint64_t index, afterwards& then);
    [[nodiscard]] lone_stop* find_lone_stop(std::uint64_t index) noexcept;
    [[nodiscard]] slot* running_in(std::uint64_t index) noexcept;
    /// The job whose body runs in `place` and has not been abandoned; none where that can't be told.
    [[nodiscard]] std::optional<std::uint64_t> body_in(slot const& place) noexcept;
    void settle_claimed() noexcept;
    [[nodiscard]] job_byte settled_byte(std::uint64_t index) noexcept;
    [[nodiscard]] job_counts counts();
    /// Jobs that run and are neither in `entered` nor counted yet; for a closed gate.
    [[nodiscard]] std::uint64_t entering(std::vector<std::uint64_t> entered);
    [[nodiscard]] std::optional<time_point> started() const noexcept;
    [[nodiscard]] std::optional<time_point> estimate(job_counts const& jobs) const noexcept;
    void note_late_starts() noexcept;

    /// Wants no lock.
    void perform(afterwards& then) noexcept;

    static constexpr std::int64_t no_time = time_point::max().time_since_epoch().count();

    std::shared_ptr<host> const host_;
    clock& time_; ///< the host's
    std::weak_ptr<batch_core> self_; // set once by make()
    std::uint64_t const total_;
    batch_options const options_;
    state_array const states_;
    /// How many attempts of each job have failed and were followed by another; none if a job has
    /// only one.
    std::unique_ptr<std::atomic<std::uint8_t>[], free_memory> const retried_;
    std::shared_ptr<recorder const> const record_;

    // Runners write `ended_` after each chunk; it is kept away from what a cancel touches, which
    // lies together, since a caller that has slept finds every cache line of it far away.
    alignas(128) std::atomic<std::uint64_t> ended_{0};
    alignas(128) gate gate_;
    std::atomic<phase> phase_{phase::open};
    std::atomic<bool> sealed_{false};
    std::mutex mutex_;
    std::atomic<std::int64_t> started_{0};
    batch_life life_;
    std::shared_ptr<detail::work> work_;
    std::vector<std::unique_ptr<slot>> slots_;
    std::size_t inside_ = 0;                ///< runners in a turn, those of abandoned bodies not
    std::size_t sleepers_ = 0;              ///< bodies in sleep()
    std::size_t tokens_ = 0;                ///< slots that have a stop_source
    std::uint64_t claimed_at_close_ = 0;
    std::uint64_t highest_abandoned_ = 0;   ///< index + 1
    std::vector<lone_stop> lone_stops_;
    bool lone_stops_ever_ = false;
    bool deadline_passed_ = false;
    retries waiting_;
    std::atomic<std::int64_t> next_due_{no_time}; ///< of `waiting_`
    time_point armed_ = time_point::max();        ///< when call_at() will have tick() called
    std::unique_ptr<token_callback> token_callback_;
    std::unordered_map<std::uint64_t, time_point> lone_not_started_;
    struct abandonment {
        std::int64_t started;
        time_point ended;
        std::optional<float> progress;
    };
    std::unordered_map<std::uint64_t, abandonment> abandoned_;
    std::uint64_t next_subscription_ = 1;
    std::vector<std::pair<std::uint64_t, std::function<void()>>> end_callbacks_;
    std::condition_variable sealed_condition_;
    std::condition_variable sleep_condition_;
};

[[nodiscard]] job_state state_of(job_byte byte) noexcept;

/// How many jobs have ended in `place`.
[[nodiscard]] std::uint64_t ended_in(slot const& place) noexcept;

/// What has been reported of a job that runs in, or has just left, `place`.
[[nodiscard]] std::optional<float> progress_of(slot const& place, std::uint64_t index) noexcept;

} // namespace belay::detail

#endif
