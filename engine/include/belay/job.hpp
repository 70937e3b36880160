#ifndef BELAY_JOB_HPP
#define BELAY_JOB_HPP

#include <belay/cancel.hpp>
#include <belay/detail/slot.hpp>
#include <belay/error.hpp>
#include <belay/export.hpp>
#include <belay/job_file.hpp>
#include <belay/state.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string_view>
#include <utility>

namespace belay {

class any_batch;
struct batch_status;

namespace detail {
struct job_access;
}

/// What becomes of a batch that a body waits for when the body's own job is told to stop.
enum class when_stopped : std::uint8_t {
    cancel, ///< it is cancelled (cause `token`), so as to be over before the job's own deadline
    go_on,  ///< it goes on, and the wait ends
};

/// What a body sees of the job that it is.
///
/// A body is *shown its stop* when `stop_requested` answers true, a wait ends early or a stop
/// token it asked for fires. If it returns normally after that, its value is dropped and the job
/// is `cancelled` (`stopped`), unless it has said `keep_result()`. If it throws after its stop
/// began, the job is `stopped` too.
///
/// Lifetime: as long as the body runs.
/// Thread safety: none; a body that uses threads of its own hands them `stop_token()`.
class BELAY_EXPORT job {
public:
    job(job const&) = delete;
    job& operator=(job const&) = delete;

    /// Which job of the batch this is, 0 … total − 1.
    [[nodiscard]] std::uint64_t index() const noexcept { return index_; }

    /// Which try at the job this is, from 1.
    [[nodiscard]] unsigned attempt() const noexcept;

    /// Whether the body is to stop. Costs two loads: ask about every microsecond.
    [[nodiscard]] bool stop_requested() noexcept
    {
        if (phase_.load(std::memory_order_acquire) != detail::phase::stopping &&
            place_.stop_index.load(std::memory_order_acquire) != index_) [[likely]]
            return false;
        shown_ = unusual_ = true;
        return true;
    }

    /// Throws `stopped` if the body is to stop.
    void throw_if_stopped()
    {
        if (stop_requested())
            throw stopped{};
    }

    /// Sleeps for `duration`, or until the stop; true if the whole time has passed.
    template <class Rep, class Period>
    bool sleep_for(std::chrono::duration<Rep, Period> duration)
    {
        // In floating point nothing overflows. What nanoseconds can't hold is for ever.
        using std::chrono::nanoseconds;
        std::chrono::duration<double> const seconds(duration);
        if (!(seconds.count() > 0))
            return sleep_for(nanoseconds(0));
        if (seconds >= std::chrono::duration<double>(nanoseconds::max()))
            return sleep_for(nanoseconds::max());
        return sleep_for(std::chrono::ceil<nanoseconds>(duration));
    }

    /// The same, in the unit that it works in.
    bool sleep_for(std::chrono::nanoseconds duration);

    /// Waits on the caller's `condition` until `predicate()` holds, or until the stop. Returns
    /// what `predicate()` says at the end; `lock` is held then. Where that is true the body has not
    /// been shown its stop.
    template <class Lock, class Predicate>
    bool wait(std::condition_variable_any& condition, Lock& lock, Predicate predicate)
    {
        if (predicate())
            return true;
        bool holds = condition.wait(lock, wait_token(), std::ref(predicate));
        if (!holds && has_token_) {
            lock.unlock(); // a callback may want it
            call_callbacks();
            lock.lock();
            holds = predicate();
        }
        if (!holds)
            shown_ = true;
        return holds;
    }

    /// Waits until another batch has ended, as `batch.wait()` does inside a body: meanwhile this
    /// thread runs jobs of it. When this job is told to stop, so is that batch, unless `what` says
    /// otherwise. If that cancelled the batch, or ended the wait, the body has been shown its stop.
    /// Gives how the batch stands. Throws `error` (`would_deadlock`), as `wait()` does.
    batch_status wait(any_batch const& batch, when_stopped what = when_stopped::cancel);

    /// A token that stops with the job; made when first asked for. Callbacks run before any wait
    /// ends early, with no lock of the engine held: on the thread that cancels, or on the body's
    /// own where that sleeps, waits or ends sooner. The end of the body waits for those under way:
    /// none runs beside the next attempt.
    [[nodiscard]] std::stop_token stop_token();

    /// A file descriptor that becomes readable when the job is to stop, for poll() and its like.
    /// Read nothing from it. It is closed when the body ends. Where none is to be had it is waited
    /// for; -1 if the job is to stop before.
    [[nodiscard]] int stop_fd();

    /// Says that the value about to be returned is whole although a stop was shown: the job then
    /// is `succeeded` (and `late`).
    void keep_result() noexcept { kept_ = unusual_ = true; }

    /// Appends to the job's output, which is kept beside what it returns if it succeeds; of
    /// recorded batches only. Where no descriptor is to be had for it, that is waited for. Throws
    /// `error` (`invalid_argument`) in another, std::system_error if it can't be written, `stopped`
    /// if it was told to stop while it waited.
    void write_output(std::string_view bytes);

    /// The file that was uploaded for this job (`batch_draft::attach`); nothing if its batch has
    /// none. Where no descriptor is to be had for it, that is waited for. Throws `error`
    /// (`store_failed`), `stopped` if it was told to stop while it waited.
    [[nodiscard]] std::optional<job_file> input_file();

    /// Reports how far the body is, 0 … 1; other values are clamped.
    void progress(double fraction) noexcept;

    /// Cancels the body's own batch, as `any_batch::cancel`: the body is told to stop as well, and
    /// this returns once that is recorded. Throws as that does.
    cancel_result cancel_batch(cancel_request const& request = {});

    /// Why the body is to stop; `none` if it is not.
    [[nodiscard]] stop_cause cause() noexcept;

private:
    friend struct detail::job_access;
    job(detail::turn& turn, std::uint64_t index) noexcept
        : core_(turn.core), place_(turn.place), phase_(turn.batch_phase), index_(index)
    {
    }

    /// A token that stops with the job, whatever the callbacks of bodies take: a wait that it ended
    /// returns after `call_callbacks`.
    [[nodiscard]] std::stop_token wait_token();
    /// The job is to stop: once this is back, the callbacks on the body's own token have been
    /// called.
    void call_callbacks();

    detail::batch_core& core_;
    detail::slot& place_;
    std::atomic<detail::phase> const& phase_;
    std::uint64_t index_;
    bool entered_ = true;    ///< its body was entered
    bool unusual_ = false;   ///< the end of this body needs a closer look
    bool shown_ = false;     ///< it was shown its stop
    bool kept_ = false;      ///< it said keep_result
    bool has_token_ = false; ///< it asked for a stop token
    bool has_wait_ = false;  ///< it has waited
};

} // namespace belay

#endif
