#ifndef BELAY_BATCH_HPP
#define BELAY_BATCH_HPP

#include <belay/cancel.hpp>
#include <belay/clock.hpp>
#include <belay/detail/results.hpp>
#include <belay/detail/work.hpp>
#include <belay/error.hpp>
#include <belay/export.hpp>
#include <belay/process.hpp>
#include <belay/state.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

namespace belay {

/// What becomes of a batch one of whose jobs failed for good.
enum class failure_policy : std::uint8_t {
    continue_, ///< nothing: the others go on
    fail_fast, ///< it is stopped, and ends `failed`
};

[[nodiscard]] BELAY_EXPORT std::string_view to_string(failure_policy value) noexcept;
[[nodiscard]] BELAY_EXPORT std::optional<failure_policy>
parse_failure_policy(std::string_view word) noexcept;

/// The most that `batch_options::weight`, `max_attempts` and the times in it may be.
inline constexpr unsigned weight_max = 100;
inline constexpr unsigned attempts_max = 100;
inline constexpr std::chrono::milliseconds option_time_max{std::chrono::days(36'500)};

/// How many coroutines of a batch run at the same time unless something else is said, and the most
/// that may.
inline constexpr std::size_t coroutine_concurrency = 100;
inline constexpr std::size_t coroutine_concurrency_max = 10'000;

/// How a batch is to run. Those that are not set are the job type's, or the engine's.
struct batch_options {
    /// How many of its jobs may run at the same time, from 1; none or more than there are workers
    /// (or its type allows) means as many as that. Of coroutines `coroutine_concurrency` unless
    /// set, and at most `coroutine_concurrency_max`. Of programs as many as `job_type::concurrency`
    /// says.
    std::optional<std::size_t> concurrency = std::nullopt;

    /// How long its bodies may go on after a cancel, 0 … the type's or the engine's grace, which
    /// is also the default.
    std::optional<std::chrono::milliseconds> grace = std::nullopt;

    /// Its share of the workers while other batches wait, 1 … `weight_max`.
    unsigned weight = 10;

    /// How long the whole batch may take, from its creation, 1 ms or more. Then it is stopped, and
    /// ends `expired`.
    std::optional<std::chrono::milliseconds> deadline = std::nullopt;

    belay::failure_policy failure_policy = belay::failure_policy::continue_;

    /// How often a job is tried, 1 … `attempts_max`, or what its type allows. One that failed since
    /// its input can't be used (`failure::input`) is not tried again.
    unsigned max_attempts = 1;

    /// How long a job that failed waits for its second attempt, 0 or more; twice as long before
    /// each further one, `backoff_max` at most. What it really waits is a random half to whole of
    /// that.
    std::chrono::milliseconds backoff{1000};
    std::chrono::milliseconds backoff_max{60'000};

    /// How long an attempt may take, from 1 ms to the type's time-out, which is also the default.
    /// Then its body is told to stop, and abandoned after the grace and a second; either way the
    /// attempt has failed (`failure::timeout`). Looked at every 25 ms, or more often where the
    /// time-out is short.
    std::optional<std::chrono::milliseconds> timeout = std::nullopt;

    /// How long a recorded batch is kept once it has ended, 0 or more; the engine's `keep`.
    std::optional<std::chrono::milliseconds> keep = std::nullopt;

    /// A token of the caller's: when it fires the batch is cancelled (cause `token`), on the thread
    /// that fires it. If it has fired before, nothing starts. An ended batch has no callback there
    /// any more.
    std::stop_token stop_token = {};
};

/// Where the jobs of a batch are. `total` = `pending` + `running` + `succeeded` + `failed` +
/// `cancelled()` at every moment (G6).
struct job_counts {
    std::uint64_t total = 0;
    std::uint64_t pending = 0;
    std::uint64_t running = 0;
    std::uint64_t succeeded = 0; ///< the late ones among them
    std::uint64_t failed = 0;
    std::uint64_t late = 0; ///< succeeded after their stop had been asked for
    std::uint64_t not_started = 0;
    std::uint64_t stopped = 0;
    std::uint64_t terminated = 0;
    std::uint64_t killed = 0;
    std::uint64_t abandoned = 0;
    std::uint64_t lost = 0;

    [[nodiscard]] std::uint64_t cancelled() const noexcept
    {
        return not_started + stopped + terminated + killed + abandoned + lost;
    }
    [[nodiscard]] std::uint64_t ended() const noexcept { return succeeded + failed + cancelled(); }
    bool operator==(job_counts const&) const = default;
};

/// A batch as it is at one moment.
struct batch_status {
    batch_state state{};
    time_point entered_at;                ///< when `state` was entered
    time_point created_at;
    std::optional<time_point> started_at; ///< when its first job started
    std::optional<time_point> ended_at;
    std::optional<cancel_record> cancel;  ///< if its gate was closed, by whomever
    job_counts jobs;
    std::uint64_t retried = 0;            ///< attempts entered after a job's first
    /// When the last job will have ended if the rest takes as long a job as those that have;
    /// nothing before the first has, and once the gate is closed or all have ended.
    std::optional<time_point> estimated_completion;
    /// All its bodies are over, and only the store has to take the record of that.
    bool waits_for_store = false;
};

/// One job as it is at one moment. The times, `progress`, `failure` and `message` are known of
/// recorded batches only.
struct job_status {
    std::uint64_t index = 0;
    job_state state{};
    belay::disposition disposition{};
    bool late = false;
    bool stop_requested = false; ///< it runs and has been told to stop
    unsigned attempt = 1;        ///< of the last attempt, or of the next one
    std::optional<time_point> started_at;
    std::optional<time_point> ended_at;
    std::optional<float> progress; ///< 0 … 1, where the body has said
    std::optional<belay::failure> failure;
    std::string message; ///< of the failure, or of what it threw when it was stopped
    std::optional<process_usage> process; ///< of a program that was run, once the job has ended
    std::optional<job_cancel_record> cancel; ///< if it was cancelled alone, before it had ended
};

/// Where a job stands, in as little as can be.
struct job_mark {
    job_state state{};
    belay::disposition disposition{};
    bool late = false; ///< it succeeded after its stop had been asked for
    bool operator==(job_mark const&) const = default;
};

/// What all batches have in common: a handle to one, or an empty one. Of that every member but
/// `bool` and `unsubscribe` throws `error` (`no_batch`).
///
/// Lifetime: handles may be copied and dropped as one likes, and outlive the engine; a batch runs
/// on without one. One that was moved from is empty. Thread safety: every member may be called from
/// any thread at any time, also from inside a body.
class BELAY_EXPORT any_batch {
public:
    /// An empty handle.
    any_batch() noexcept = default;

    /// Whether there is a batch.
    [[nodiscard]] explicit operator bool() const noexcept { return core_ != nullptr; }

    /// How many jobs it has.
    [[nodiscard]] std::uint64_t size() const;

    /// How many of them may run at the same time.
    [[nodiscard]] std::size_t concurrency() const;

    /// How long they may go on after a cancel.
    [[nodiscard]] std::chrono::milliseconds grace() const;

    /// What it runs with; what was not set is filled in.
    [[nodiscard]] batch_options const& options() const;

    /// Stops the batch: closes the gate, records that where there is a store, tells what runs to
    /// stop, and returns; it does not wait for what runs (G1, G2, G5, G7, G8). On an ended batch
    /// nothing changes. Throws `error` (`invalid_argument`) for a grace or a reason out of range, or
    /// a grace with a mode other than `graceful`; (`not_cancelled`, `outcome_unknown`) if the store
    /// could not record it. Not from inside a callback of the engine's, where the other form does.
    cancel_result cancel(cancel_request const& request = {}) const;

    /// The same, without waiting for the store: `done` is called once, on any thread, maybe inside
    /// this call, no lock held. It must be short; what it throws is one of `engine::problems`.
    void cancel(cancel_request const& request, std::function<void(cancel_result const&)> done) const;

    /// The same as an asynchronous operation of Asio's, for any completion token of
    /// `void(std::exception_ptr, cancel_result)`: the exception is what the first form throws, or
    /// null. It can't be taken back, so cancelling the operation does nothing. In <belay/asio.hpp>.
    /// Where it is awaited, make the request before: g++ 12 destroys twice what is made by braces
    /// inside of a co_await.
    template <class CompletionToken>
    auto async_cancel(cancel_request request, CompletionToken&& token) const;

    /// The same for a graceful cancel without a reason.
    template <class CompletionToken>
    auto async_cancel(CompletionToken&& token) const;

    /// A callback, to forget it by; 0 is none.
    using subscription = std::uint64_t;

    /// Stops one job, in the same manner. Throws `error` (`no_such_job`, `invalid_argument`; `drain`
    /// is not for single jobs; `not_cancelled`, `outcome_unknown`).
    job_cancel_result cancel_job(std::uint64_t index, cancel_request const& request = {}) const;

    /// The same, without waiting for the store, as the second form of `cancel`.
    void cancel_job(std::uint64_t index, cancel_request const& request,
                    std::function<void(job_cancel_result const&)> done) const;

    /// Calls `callback` once when a job has ended, by itself or by whatever stopped it, or when `wait`
    /// is over; otherwise as `on_end`. Of jobs that take microseconds a worker tells some at a time;
    /// where the next takes long, it is told within 25 ms. Throws `error` (`no_such_job`).
    subscription on_job_end(std::uint64_t index, std::function<void()> callback) const;

    /// Waits until the batch has ended; or until its engine has, if it is to go on with the next
    /// one that has its store. Then its state is not terminal.
    ///
    /// Inside a body of the same engine it does not stand still: the thread runs jobs of the batch
    /// that it waits for. Up to 64 such waits may be inside each other on one thread; one more
    /// throws `error` (`would_deadlock`), as does a body that waits for its own batch.
    batch_status wait() const;

    /// The same, or until `duration` has passed; whether the batch has ended. Inside a body it may
    /// take as much longer as a job of that batch does.
    [[nodiscard]] bool wait_for(std::chrono::nanoseconds duration) const;

    /// The same, or until `time`, by the engine's clock.
    [[nodiscard]] bool wait_until(time_point time) const;

    /// Waits, as an asynchronous operation of Asio's, until the batch has ended, for any completion
    /// token of `void(boost::system::error_code, batch_status)`. Cancelling the operation, of
    /// whatever type, ends the wait (`boost::asio::error::operation_aborted`) and not the batch.
    /// In <belay/asio.hpp>.
    template <class CompletionToken>
    auto async_wait(CompletionToken&& token) const;

    /// Its state now.
    [[nodiscard]] batch_state state() const;

    /// All of it, as it is at one moment.
    [[nodiscard]] batch_status status() const;

    /// One job. Throws `error` (`no_such_job`).
    [[nodiscard]] job_status job(std::uint64_t index) const;

    /// Only its state, without a lock. Throws `error` (`no_such_job`).
    [[nodiscard]] job_state job_state_of(std::uint64_t index) const;

    /// Its state and how it came to it; as short as the state alone. Throws `error`
    /// (`no_such_job`).
    [[nodiscard]] job_mark job_mark_of(std::uint64_t index) const;

    /// Calls `callback` once when `wait` is over, on whatever thread ended the batch, no lock held;
    /// inside this call, which then returns 0, if it is over already. It must be short; what it
    /// throws is one of `engine::problems`.
    subscription on_end(std::function<void()> callback) const;

    /// Forgets a callback. It may still be running when this returns.
    void unsubscribe(subscription subscription) const noexcept;

protected:
    friend class belay::job;
    explicit any_batch(std::shared_ptr<detail::batch_core> core) noexcept : core_(std::move(core))
    {
    }

    [[nodiscard]] detail::batch_core& core() const;

    std::shared_ptr<detail::batch_core> core_;
};

/// The value of a job that succeeded.
template <class R>
struct job_result {
    std::uint64_t index;
    R const& value;
};
/// The same where bodies return nothing.
template <>
struct job_result<void> {
    std::uint64_t index;
};

/// A job that failed, and why.
struct job_exception {
    std::uint64_t index;
    std::exception_ptr exception;
};

/// A batch whose jobs each give an `R`, kept in memory.
template <class R>
class batch : public any_batch {
public:
    using value_type = R;

    /// An empty handle.
    batch() noexcept = default;

    /// The value of a job. Throws `exception(index)` if it failed, `error` (`no_value`) if it has
    /// not succeeded, `error` (`no_such_job`). The reference lives as long as any handle.
    decltype(auto) value(std::uint64_t index) const
    {
        require_value(index);
        if constexpr (!std::is_void_v<R>)
            return static_cast<R const&>(outcomes_->values[index]);
    }

    /// What has succeeded so far, by index: a forward range of `job_result<R>`. While the batch runs
    /// each pass may find more. The range keeps the batch's values alive; iterators end with it.
    [[nodiscard]] auto results() const
    {
        return detail::ended_jobs<batch, job_state::succeeded>(*this);
    }

    /// What has failed so far, likewise: a forward range of `job_exception`.
    [[nodiscard]] auto failures() const
    {
        return detail::ended_jobs<batch, job_state::failed>(*this);
    }

    /// Why a job failed: what its body threw, or moving its value, or `job_failure` for a time-out.
    /// Of one that was stopped what its body threw then, unless that is `stopped`, or a system_error
    /// of `operation_aborted`. Null if there is none. Throws `error` (`no_such_job`).
    [[nodiscard]] std::exception_ptr exception(std::uint64_t index) const
    {
        auto const state = job_state_of(index);
        return state == job_state::failed || state == job_state::cancelled
                   ? outcomes_->errors.get(index)
                   : nullptr;
    }

private:
    friend class engine;
    template <class Batch, job_state State>
    friend class detail::ended_jobs;
    batch(std::shared_ptr<detail::batch_core> core,
          std::shared_ptr<detail::typed_outcomes<R>> outcomes) noexcept
        : any_batch(std::move(core)), outcomes_(std::move(outcomes))
    {
    }

    template <job_state State>
    [[nodiscard]] auto ended(std::uint64_t index) const
    {
        if constexpr (State == job_state::failed)
            return job_exception{index, outcomes_->errors.get(index)};
        else if constexpr (std::is_void_v<R>)
            return job_result<R>{index};
        else
            return job_result<R>{index, outcomes_->values[index]};
    }

    void require_value(std::uint64_t index) const
    {
        auto const state = job_state_of(index);
        if (state == job_state::succeeded) [[likely]]
            return;
        if (state == job_state::failed)
            std::rethrow_exception(outcomes_->errors.get(index));
        std::string is(to_string(state));
        if (state == job_state::cancelled)
            is.append(" (").append(to_string(job(index).disposition)).append(")");
        throw error(errc::no_value,
                    "job " + std::to_string(index) + " has no value: it is " + is +
                        ", not succeeded");
    }

    std::shared_ptr<detail::typed_outcomes<R>> outcomes_;
};

} // namespace belay

#endif
