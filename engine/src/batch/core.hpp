// This folder: one batch, from its jobs' first attempt to its end. Base and the interface of stores
// come in; nothing that knows what its jobs do, or how many batches there are.
#ifndef BELAY_BATCH_CORE_HPP
#define BELAY_BATCH_CORE_HPP

#include "batch/admission.hpp"
#include "batch/afterwards.hpp"
#include "batch/attempts.hpp"
#include "batch/detached_jobs.hpp"
#include "batch/error_tally.hpp"
#include "batch/gate.hpp"
#include "batch/host.hpp"
#include "batch/job_stops.hpp"
#include "batch/life.hpp"
#include "batch/locked.hpp"
#include "batch/recorder.hpp"
#include "batch/reporter.hpp"
#include "batch/retries.hpp"
#include "batch/runner_slots.hpp"
#include "batch/slot.hpp"
#include "batch/stop_signals.hpp"
#include "batch/subscriptions.hpp"
#include "batch/suspect_jobs.hpp"
#include "batch/thread_turns.hpp"
#include "store/store.hpp"

#include <belay/batch.hpp>
#include <belay/cancel.hpp>
#include <belay/detail/asynchronous.hpp>
#include <belay/detail/slot.hpp>
#include <belay/detail/work.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

namespace belay::detail {

/// A batch: its mutex, and the parts that have the rest. It knows indices and outcomes, neither
/// inputs nor values.
///
/// A recorded batch has a store: the ends of its jobs, its cancel and its own end are shown once
/// the store has them (G2, G3).
///
/// Locking: `mutex_` guards whatever is not atomic. Runners take it when their turn begins and
/// ends, never between jobs. While it is held no code of a caller's runs, and of the store only
/// `record` is called, which does not wait for the disk.
class batch_core {
public:
    struct setup {
        std::uint64_t total = 0;
        state_array states;
        std::shared_ptr<detail::work> work;
        std::shared_ptr<belay::store> store = {}; ///< of recorded batches
        std::uint64_t sequence = 0;               ///< likewise, under which the store has it
        time_point created;
        batch_options options; ///< `concurrency` and `grace` are set
    };

    [[nodiscard]] static std::shared_ptr<batch_core> make(std::shared_ptr<host> host, setup setup);
    batch_core(std::shared_ptr<host> host, setup setup);
    ~batch_core();
    batch_core(batch_core const&) = delete;
    batch_core& operator=(batch_core const&) = delete;

    /// Lets the runners in; once, after the host knows the batch. What had been cancelled, or has
    /// no job left to run, ends here.
    void open();
    /// The same where it is not known yet what its jobs do: its time runs, and it may be cancelled,
    /// but no runner comes in before `let_run`.
    void open_idle();
    void let_run();

    // What an earlier process left (restore.cpp); before open().
    void restore(job_record const& record);
    void restore(stored_batch const& batch);

    /// The engine is being destroyed: the batch is cancelled (cause `shutdown`), or, if it is
    /// durable, let go of without ending: what runs is told to stop, and is pending again.
    void shut_down();

    // Callers (cancel.cpp).
    cancel_result cancel(cancel_request const& request, stop_cause cause);
    void cancel(cancel_request const& request, stop_cause cause, cancel_done done);
    job_cancel_result cancel_job(std::uint64_t index, cancel_request const& request);
    void cancel_job(std::uint64_t index, cancel_request const& request, job_cancel_done done);
    std::uint64_t on_job_end(std::uint64_t index, std::function<void()> callback);
    std::uint64_t on_end(std::function<void()> callback);
    void unsubscribe(std::uint64_t subscription) noexcept;

    // Those who wait (wait.cpp).
    /// Waits until the batch has ended, `until` has come or `token` fires; whether it has ended.
    /// Inside a body the thread runs jobs of the batch meanwhile. Throws `error`
    /// (`would_deadlock`).
    bool wait(std::optional<time_point> until, std::stop_token const& token = {});
    /// Has those who wait look at their tokens.
    void wake_waiting();
    /// Waits, in the body of a job of this batch, for another one; whether the stop of the job has
    /// cancelled that or ended the wait. `token` fires with that stop.
    bool wait_inside(std::uint64_t index, std::stop_token const& token, batch_core& inner,
                     when_stopped what);

    /// A suspect that had to wait has a place to run; false if there is none that wants it.
    [[nodiscard]] bool suspect_may_run();

    // The store (record.cpp).
    void committed(std::span<job_record const> records) noexcept;
    [[nodiscard]] bool refused(job_record const& record, job_byte was) noexcept;
    /// Takes over how the runner of `place` left a job; what its byte is now, or `ending` if that
    /// is to be decided once it is known whether the cancel stands.
    job_byte take_over(slot& place, job_record&& record) noexcept;

    // Readers (view.cpp).
    [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
    /// The states of its jobs, and with them what a store in memory has of it.
    [[nodiscard]] state_array const& states() const noexcept { return states_; }
    [[nodiscard]] batch_options const& options() const noexcept { return options_; }
    [[nodiscard]] std::size_t concurrency() const noexcept { return *options_.concurrency; }
    [[nodiscard]] std::chrono::milliseconds grace() const noexcept { return *options_.grace; }
    [[nodiscard]] batch_state state();
    /// Whether it is terminal, without a lock.
    [[nodiscard]] bool is_sealed() const noexcept { return sealed_.load(); }
    /// Whether it outlives the process.
    [[nodiscard]] bool is_durable() const noexcept { return recorder_ && recorder_->is_durable(); }
    /// Under which the store has it.
    [[nodiscard]] std::uint64_t sequence() const noexcept
    {
        return recorder_ ? recorder_->sequence() : 0;
    }
    /// Whether it is found by an id.
    [[nodiscard]] bool is_recorded() const noexcept { return recorder_ != nullptr; }
    [[nodiscard]] batch_status status();
    [[nodiscard]] job_status job(std::uint64_t index);
    [[nodiscard]] job_state job_state_of(std::uint64_t index);
    [[nodiscard]] job_mark job_mark_of(std::uint64_t index);
    /// How long jobs of a recorded batch took.
    void durations(std::uint64_t first, std::uint64_t end,
                   std::function<void(std::uint64_t, std::chrono::nanoseconds)> const& visit) const;
    /// What the body of a job of a recorded batch returned.
    [[nodiscard]] std::optional<std::string> output(std::uint64_t index);
    [[nodiscard]] std::vector<error_count> errors(std::size_t most) const
    {
        return errors_.most_frequent(most);
    }
    void require_job(std::uint64_t index) const;

    /// The file that was uploaded for a job; nothing if none was. Throws `stopped` where nobody
    /// waits for the job any more, and as `work::input_file`.
    [[nodiscard]] std::optional<job_file> input_file(std::uint64_t index);
    /// What becomes of it; null of a typed batch.
    [[nodiscard]] reporter* reports() noexcept { return reporter_ ? &*reporter_ : nullptr; }

    /// The control thread's part (tick.cpp): the deadline, time-outs, what is overdue, and
    /// jobs that are due again. Gives the moment at which it wants to be called again while a
    /// runner is inside, if that is sooner than usual.
    time_point tick();

    // Bodies (body.cpp).
    [[nodiscard]] host& owner() noexcept { return *host_; }
    [[nodiscard]] time_point now() const noexcept { return time_.now(); }
    void first_entry(turn& turn) noexcept;
    void job_stop_ended(std::uint64_t index) noexcept;
    [[nodiscard]] unsigned attempt(std::uint64_t index) const noexcept
    {
        return attempts_.number(index);
    }
    void never_entered(slot& place, std::uint64_t index) noexcept;
    [[nodiscard]] job_byte attempt_failed(slot const& place, std::uint64_t index,
                                          std::exception_ptr& exception, bool in_vain) noexcept;
    [[nodiscard]] bool enter_at_once(slot& place, std::uint64_t index) noexcept;
    void after_failure(std::uint64_t index, job_byte how);
    [[nodiscard]] bool sleep(slot& place, std::uint64_t index, std::chrono::nanoseconds duration);
    [[nodiscard]] std::stop_token stop_token(slot& place, std::uint64_t index);
    [[nodiscard]] std::stop_token wait_token(slot& place, std::uint64_t index);
    void call_callbacks(slot& place);
    /// Ends the tokens of the body that ran in `place`, once no callback on them runs any more;
    /// whether the one that it asked for had fired.
    [[nodiscard]] bool end_tokens(slot& place) noexcept;
    [[nodiscard]] stop_cause cause_of(std::uint64_t index) noexcept;
    [[nodiscard]] bool told_to_stop(slot const& place, std::uint64_t index) const noexcept;
    /// Whether what is still done for the job is to be given up, a body's time being over.
    [[nodiscard]] bool is_overdue(std::uint64_t index);
    [[nodiscard]] phase current_phase() const noexcept { return phase_.load(); }

    // Bodies that hold no thread (detach.cpp).
    /// Lets the job that `turn` has entered go on without it.
    [[nodiscard]] detached_job detach(turn& turn, std::uint64_t index, std::int64_t started);
    /// Says what is to be told of stops; it is told at once if there has been one.
    void set_body(detached_job const& job, std::shared_ptr<asynchronous_body> body);
    /// The body that was set waits from now on, and the tick has it try again. Gives whether it has
    /// been told to stop by then.
    [[nodiscard]] bool body_waits(detached_job const& job);
    /// While it is there, this thread starts a job that had been detached, once more.
    class launch {
    public:
        /// Throws std::bad_alloc.
        explicit launch(detached_job const& job);
        ~launch();
        launch(launch const&) = delete;
        launch& operator=(launch const&) = delete;

    private:
        batch_core& core_;
        thread_turns::stay stay_;
    };
    /// It has ended: `conclude` ends the job, and the slot goes on.
    void resume(detached_job const& job, std::function<void(turn&)> const& conclude);

private:
    /// A step of the batch: the mutex is held, and what is to be done once it is not is gathered
    /// for `perform`, which lets go of it.
    class step : public locked, public afterwards {
    public:
        explicit step(batch_core& core);
        ~step();

    private:
        friend batch_core;
        batch_core& core_;
        bool is_performed_ = false;
    };

    // Runners (core.cpp).
    void open(bool idle);
    void post(locked const& lock, slot& place);
    [[nodiscard]] executor& own_executor() noexcept;
    /// With the exception in flight that kept a runner of `place` from being posted, or from
    /// beginning: the tick sees to another.
    void put_off(locked const& lock, slot& place);
    /// Of a slot that is posted; `from_queue` says that the executor calls it.
    void take_turn(slot& place, bool from_queue) noexcept;
    /// What it works at; null if there is nothing to do.
    [[nodiscard]] std::shared_ptr<detail::work> begin_turn(slot& place, bool from_queue);
    /// One whose runner has not begun.
    [[nodiscard]] slot* queued_slot(locked const& lock) noexcept;
    /// How long an inner batch may go on, so that the body of a job that is to stop can see it end;
    /// nothing where that goes on with the next engine.
    [[nodiscard]] std::optional<std::chrono::milliseconds> grace_inside(std::uint64_t index);
    class waiting_body;
    void run_quantum(turn& turn, bool& again);
    void run(turn& turn, gate::range range, std::uint64_t& chunk, std::int64_t& now);
    [[nodiscard]] std::optional<gate::range> claim(slot& place, std::uint64_t chunk) noexcept;
    [[nodiscard]] std::optional<gate::range> claim_retry(slot& place, std::int64_t now) noexcept;
    void forget_range(turn& turn) noexcept;
    [[nodiscard]] std::optional<gate::range> help(slot const& self, bool& look_again);
    void ledger_add(std::uint64_t ended) noexcept;
    void leave(turn& turn, bool again);
    void go_on();

    // All of these want the lock.
    void seal_if_quiet(step& then);
    void apply(batch_life::actions actions, step& then);
    /// Memory for what an interrupt gathers, so that it finds all of it.
    void reserve_interrupt(step& then);
    void release(step& then);
    void request_end(step& then);
    void suspend(step& then);
    [[nodiscard]] bool leave_to_next(step& then);
    void give_up_window(step& then);
    void let_go_if_quiet(step& then);
    void let_go(step& then);
    void end_overdue(time_point now, step& then);
    void abandon(slot& place, step& then);
    void stop_detached(step& then);
    void kill_detached(step& then);
    void look_for_waiting_bodies(step& then);
    void launched() noexcept;
    static void kill(detached_jobs::entry& detached, step& then);
    void arm_kill(locked const& lock, time_point deadline);
    void end_abandoned(locked const& lock, slot const& place, std::uint64_t index);
    void fail_abandoned(slot& place, std::uint64_t index, bool asked, step& then);

    // Cancels that begin; false, or nothing, where the store has to be waited for: then `done` was
    // taken. That of a batch writes into a result of its caller's, as moving strings costs cold
    // code.
    [[nodiscard]] bool begin_cancel(cancel_request const& request, stop_cause cause,
                                    cancel_done& done, step& then, cancel_result& result);
    [[nodiscard]] std::optional<job_cancel_result> begin_job_cancel(std::uint64_t index,
                                                                    cancel_request const& request,
                                                                    job_cancel_done& done,
                                                                    step& then);
    /// The cancel of a typed batch where all that runs hears of it through the phase, and nothing
    /// has to be done once the lock is gone; false, and nothing has changed, where it is otherwise.
    /// It is most cancels: a caller that has slept finds each line of code and data far away, and
    /// this needs few.
    [[nodiscard]] bool cancel_polling(cancel_request const& request, stop_cause cause,
                                      cancel_result& result);
    /// True if the store has to be waited for.
    [[nodiscard]] bool close_gate(cancel_request const& request, stop_cause cause,
                                  cancel_done& done, step& then, cancel_result& result);
    void repeat_cancel(cancel_request const& request, step& then);
    /// A cancel that nobody asked for. Where there is no memory for it, it comes with a later tick.
    void cancel_by_itself(stop_cause cause) noexcept;
    void stop_one(std::uint64_t index, cancel_request const& request, job_byte& byte,
                  job_cancel_result& result, step& then);
    [[nodiscard]] job_cancel_window* find_job_cancel(locked const& lock,
                                                     std::uint64_t index) noexcept;

    // How cancels are recorded (record.cpp, record_job_cancel.cpp); the two that are told something
    // want no lock.
    void open_window(cancel_request const& request, stop_cause cause, gate::closing const& closing,
                     cancel_result const& result, cancel_done& done, step& then);
    void cancel_told(cancel_outcome outcome, std::string const& problem);
    void cancel_recorded(step& then);
    void cancel_withdrawn(std::string const& problem, step& then);
    /// Puts the gate back as its closing had found it; whether every job has ended.
    bool reopen(locked const& lock, std::uint64_t word);
    void cancel_unknown(std::string const& problem, step& then);
    void take_up(kept_cancel kept, step& then);
    void decide(cancel_window::end end, step& then);
    void record_job_cancel(std::uint64_t index, cancel_request const& request, job_byte found,
                           job_cancel_result const& result, job_cancel_done& done, step& then);
    void job_cancel_told(std::uint64_t index, cancel_outcome outcome, std::string const& problem);
    void job_cancel_recorded(std::uint64_t index, job_cancel_window& cancel, step& then);
    void job_cancel_withdrawn(locked const& lock, std::uint64_t index, job_byte found);
    /// The same as `take_over`, for whoever is no runner.
    void take_over_elsewhere(locked const& lock, job_record&& record) noexcept;
    void end_elsewhere(locked const& lock, job_byte how) noexcept;
    void settle(std::uint64_t index, job_byte how, step& then);
    /// Makes of a record what it is if the gate is open, or the batch let go of.
    void correct(locked const& lock, slot const& place, job_record& record) noexcept;
    void hand_over(job_record&& record) noexcept;
    void end_told(time_point at, bool is_recorded);
    [[nodiscard]] batch_end end_record(locked const& lock, batch_life const& life);
    [[nodiscard]] std::uint64_t retried(locked const& lock) const noexcept;
    [[nodiscard]] job_counts handed_counts(locked const& lock) noexcept;
    [[nodiscard]] bool is_all_settled(locked const& lock) noexcept;
    void time_out(time_point now, step& then);
    /// Times the attempt in `place` out if that is to be; before when it need not be asked again.
    [[nodiscard]] time_point time_out(slot& place, time_point now, step& then);
    /// Ends a job alone that waits, as `byte` says; false if it no longer does.
    bool not_started_alone(locked const& lock, std::uint64_t index, job_byte byte, time_point at);
    void note_job_cancel(locked const& lock, std::uint64_t index, cancel_request const& request,
                         time_point at);
    void end_job_stop(locked const& lock, std::uint64_t index);
    void sweep_job_stops(step& then);
    /// The job may have ended for good: then nothing of its stop is left, and who waits is told.
    void note_end(std::uint64_t index, step& then);
    /// Calls those who wait for the ends of jobs from `begin` to below `end`, if these have ended.
    void tell_of_ends(std::uint64_t begin, std::uint64_t end, step& then);
    void tell_of_end(std::uint64_t index, step& then) { tell_of_ends(index, index + 1, then); }
    /// The same for a runner that has left those jobs. Wants no lock.
    void left_jobs(std::uint64_t begin, std::uint64_t end) noexcept;
    void look_for_ends(step& then);
    void schedule(std::uint64_t index, time_point now, step& then);
    void arm(locked const& lock, time_point at);
    void post_idle(locked const& lock, std::size_t most);
    /// Makes `as` of a job that backs off; false if it no longer does.
    [[nodiscard]] bool let_in(std::uint64_t index, job_byte as) noexcept;
    /// What a job is whose attempt has failed; the first without the lock.
    [[nodiscard]] job_byte next_after_failure(std::uint64_t index) noexcept;
    [[nodiscard]] job_byte settle_failure(locked const& lock, std::uint64_t index) noexcept;
    [[nodiscard]] job_byte next_attempt(std::uint64_t index) noexcept;
    /// A job waits for its next attempt.
    void wait_for_attempt(locked const& lock, std::uint64_t index, time_point due);
    /// Whether the batch is to stop since this job has failed for good.
    [[nodiscard]] bool stops_the_batch(locked const& lock, std::uint64_t index) const;
    [[nodiscard]] std::exception_ptr time_out_exception() const;
    /// The abandoned body in `place` has returned, and its runner does not touch it any more.
    void give_back(slot& place);
    void stop_running(std::uint64_t index, job_stop& stop, step& then);
    /// `body` is what runs there without a thread, if anything does.
    void tell(slot& place, step& then, std::shared_ptr<asynchronous_body> body = nullptr);

    // Jobs that ran at a crash (crash_suspects.cpp).
    void announce_suspects(locked const& lock);
    /// Whether a job that is due may be let in; one that may not waits for `suspect_may_run`.
    [[nodiscard]] bool admit(locked const& lock, std::uint64_t index);
    /// A body has begun to wait for the batch.
    void let_suspects_in(locked const& lock);
    [[nodiscard]] slot* running_in(locked const& lock, std::uint64_t index) noexcept;
    /// The job whose body runs in `place` and has not been abandoned; none where that can't be
    /// told.
    [[nodiscard]] std::optional<std::uint64_t> body_in(locked const& lock,
                                                       slot const& place) noexcept;
    void settle_claimed(locked const& lock) noexcept;
    /// What is shown of it; the mutex is not held.
    [[nodiscard]] job_byte shown_byte(std::uint64_t index);
    [[nodiscard]] job_byte settled_byte(locked const& lock, std::uint64_t index) noexcept;
    [[nodiscard]] job_counts counts(locked const& lock);
    /// Jobs that run and are neither in `entered` nor counted yet; for a closed gate.
    struct tallied {
        std::uint64_t entered; ///< bodies, by then
        std::uint64_t running; ///< the job of the body that ran, or no_index
    };
    [[nodiscard]] std::uint64_t entering(locked const& lock, std::span<tallied const> slots);
    void load_around(std::uint64_t index);
    /// Adds what the store knows of a job; `waited` if it has no attempt that ended it.
    void describe(job_status& status, bool waited) const;
    [[nodiscard]] std::optional<time_point> started() const noexcept;
    [[nodiscard]] std::optional<time_point> estimate(locked const& lock,
                                                     job_counts const& jobs) const noexcept;
    void note_late_starts(locked const& lock) noexcept;

    /// Has whoever follows the news told; under no lock.
    void tell_news() noexcept;
    /// Lets go of the lock, and does what was gathered.
    void perform(step& then) noexcept;
    /// Whether its parts agree with each other.
    [[nodiscard]] bool is_consistent(locked const& lock) const;

    static constexpr std::int64_t no_time = time_point::max().time_since_epoch().count();
    /// Until what there was no memory or no thread for is tried again.
    static constexpr std::chrono::milliseconds put_off_pause{100};

    std::shared_ptr<host> const host_;
    clock& time_;                    ///< the host's
    std::weak_ptr<batch_core> self_; // set once by make()
    std::uint64_t const total_;
    batch_options const options_;
    state_array const states_;
    attempts attempts_;
    error_tally errors_;

    // Runners write `ended_` after each chunk; it is kept away from what a cancel touches, which
    // lies together, since a caller that has slept finds every cache line of it far away.
    alignas(128) std::atomic<std::uint64_t> ended_{0};
    alignas(128) gate gate_;
    std::atomic<phase> phase_{phase::open};
    std::atomic<bool> sealed_{false};
    std::atomic<bool> watched_{false}; ///< ends of jobs are
    bool is_asynchronous_ = false;     ///< its jobs run without a thread; set by open(), let_run()
    std::unique_ptr<recorder> const recorder_; ///< null of a typed batch
    admission admission_;
    std::mutex mutex_;
    stop_signals signals_;
    std::atomic<std::int64_t> started_{0};
    /// Nothing from there on was claimed, retries included.
    guarded<std::uint64_t> claimed_at_close_;
    guarded<std::uint64_t> let_in_end_; ///< index + 1: no retry beyond it has been claimed
    guarded<std::shared_ptr<detail::work>> work_; ///< until it is over
    guarded<runner_slots> slots_;                 // its count of those inside is its last member
    guarded<batch_life> life_;
    guarded<std::size_t> helpers_;             ///< bodies of others that wait for this batch
    guarded<detached_jobs> detached_;          ///< abandoned ones not
    guarded<std::uint64_t> highest_abandoned_; ///< index + 1
    guarded<job_stops> job_stops_;
    guarded<retries> waiting_;
    std::atomic<std::int64_t> next_due_{no_time};  ///< of `waiting_`
    guarded<time_point> armed_{time_point::max()}; ///< when call_at() will have tick() called
    guarded<bool> any_body_waits_{false};          ///< of the detached; the tick has it go on
    guarded<std::exception_ptr> put_off_;          ///< of a runner that the tick is to post again
    guarded<stop_cause> owed_cancel_{stop_cause::none}; ///< that the tick is to make
    guarded<std::unique_ptr<token_callback>> token_callback_;
    guarded<std::array<std::uint64_t, job_bytes>> ended_elsewhere_; ///< ends that no runner wrote
    guarded<suspect_jobs> suspects_;
    std::optional<reporter> reporter_; ///< of a recorded batch
    // Changed before open() only.
    std::uint64_t retried_earlier_ = 0;    ///< attempts after a job's first, by an earlier process
    std::optional<stored_batch> restored_; ///< of a batch that had ended
    std::mutex load_mutex_;
    std::vector<bool> loaded_; // guarded by load_mutex_
    struct abandonment {
        std::int64_t started;
        time_point ended;
        std::optional<float> progress;
    };
    guarded<std::unordered_map<std::uint64_t, abandonment>> abandoned_;
    guarded<subscriptions> subscriptions_;
    std::condition_variable sealed_condition_;
};

[[nodiscard]] job_state state_of(job_byte byte) noexcept;

/// Writes why a job failed into its record.
void set_failure(job_record& record, std::exception_ptr const& exception);

} // namespace belay::detail

#endif
