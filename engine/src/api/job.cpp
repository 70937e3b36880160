#include <belay/batch.hpp>
#include <belay/detail/run.hpp>
#include <belay/detail/shortage.hpp>
#include <belay/job.hpp>

#include "base/time_after.hpp"
#include "batch/core.hpp"
#include "batch/verdict.hpp"
#include "store/files/job_outputs.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>
#include <utility>

namespace belay {

namespace detail {

/// An event of the kernel's that a stop token sets. Throws std::system_error if there is none to be
/// had.
class stop_descriptor {
public:
    explicit stop_descriptor(std::stop_token const& token)
        : callback_(token, set{descriptor_.get()})
    {
    }
    [[nodiscard]] int get() const noexcept { return descriptor_.get(); }

private:
    class event {
    public:
        event() : descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))
        {
            if (descriptor_ < 0)
                throw std::system_error(errno, std::system_category(), "no eventfd is to be had");
        }
        ~event() { ::close(descriptor_); }
        event(event const&) = delete;
        event& operator=(event const&) = delete;
        [[nodiscard]] int get() const noexcept { return descriptor_; }

    private:
        int descriptor_;
    };
    struct set {
        int descriptor;
        void operator()() const noexcept { (void)::eventfd_write(descriptor, 1); }
    };

    event descriptor_;
    std::stop_callback<set> callback_; // gone before what it writes to
};

} // namespace detail

bool job::sleep_for(std::chrono::nanoseconds duration)
{
    bool const slept = core_.sleep(place_, index_, duration);
    if (!slept)
        shown_ = unusual_ = true;
    return slept;
}

batch_status job::wait(any_batch const& batch, when_stopped what)
{
    if (core_.wait_inside(index_, wait_token(), batch.core(), what)) {
        call_callbacks();
        shown_ = unusual_ = true;
    }
    return batch.status();
}

std::stop_token job::stop_token()
{
    has_token_ = unusual_ = true;
    return core_.stop_token(place_, index_);
}

std::stop_token job::wait_token()
{
    has_wait_ = unusual_ = true;
    return core_.wait_token(place_, index_);
}

void job::call_callbacks()
{
    core_.call_callbacks(place_);
}

int job::stop_fd()
{
    if (place_.descriptor)
        return place_.descriptor->get();
    auto const token = stop_token();
    try {
        place_.descriptor = detail::when_available(
            *this, [&] { return std::make_unique<detail::stop_descriptor>(token); });
        return place_.descriptor->get();
    } catch (stopped const&) {
        return -1;
    }
}

unsigned job::attempt() const noexcept { return core_.attempt(index_); }

void job::write_output(std::string_view bytes)
{
    if (!core_.is_recorded())
        throw error(errc::invalid_argument, "only jobs of recorded batches have an output");
    if (!place_.output)
        place_.output = detail::when_available(*this, [this] {
            return core_.owner().make_output();
        });
    place_.output->write(bytes);
}

void job::progress(double fraction) noexcept
{
    detail::set_progress(place_, index_, fraction);
}

cancel_result job::cancel_batch(cancel_request const& request)
{
    return core_.cancel(request, stop_cause::user);
}

stop_cause job::cause() noexcept
{
    return core_.told_to_stop(place_, index_) ? core_.cause_of(index_) : stop_cause::none;
}

namespace detail {

void set_progress(slot& place, std::uint64_t index, double fraction) noexcept
{
    // The comparison is false for NaN.
    float const value = fraction > 0 ? static_cast<float>(std::min(fraction, 1.0)) : 0.0F;
    place.progress.store(value, std::memory_order_relaxed);
    place.progress_of.store(index, std::memory_order_release);
}

slot::slot() = default;
slot::~slot() = default;

void drop_belongings(slot& place) noexcept
{
    place.descriptor.reset();
    place.output.reset();
}

job_byte job_access::judge(job& job, bool threw) noexcept
{
    job.place_.descriptor.reset();
    bool const fired = (job.has_token_ || job.has_wait_) && job.core_.end_tokens(job.place_);
    return detail::judge(
        {.entered = job.entered_,
         .threw = threw,
         .shown = job.shown_ || (job.has_token_ && fired),
         .kept = job.kept_,
         .told = job.core_.told_to_stop(job.place_, job.index_),
         .timed_out = job.place_.timed_out.load(std::memory_order_acquire) == job.index_,
         .closed = job.core_.current_phase() != phase::open});
}

job_byte job_access::returned(job& job) noexcept { return judge(job, false); }

job_byte job_access::threw(job& job) noexcept { return judge(job, true); }

void first_entry(turn& turn) noexcept
{
    turn.entered_any = true;
    turn.core.first_entry(turn);
}

void note_repeat(turn& turn, std::uint64_t index) noexcept
{
    if (turn.core.attempt(index) > 1)
        count_repeat(turn.place);
}

void never_entered(turn& turn, std::uint64_t index) noexcept
{
    turn.core.never_entered(turn.place, index);
}

job_byte attempt_failed(turn& turn, std::uint64_t index, std::exception_ptr& exception) noexcept
{
    return turn.core.attempt_failed(turn.place, index, exception, turn.in_vain);
}

bool enter_at_once(turn& turn, std::uint64_t index) noexcept
{
    return turn.core.enter_at_once(turn.place, index);
}

void after_failure(turn& turn, std::uint64_t index, job_byte how) noexcept
{
    turn.core.after_failure(index, how);
}

void job_stop_ended(turn& turn, std::uint64_t index) noexcept
{
    turn.core.job_stop_ended(index);
}

void late_write_refused(turn& turn) noexcept
{
    turn.core.owner().counted.late_writes_refused += 1;
}

std::int64_t now(turn& turn) noexcept
{
    return turn.core.now().time_since_epoch().count();
}

void batch_core::first_entry(turn& turn) noexcept
{
    std::int64_t expected = 0;
    if (started_.compare_exchange_strong(expected, turn.began) && store_)
        store_->commit(sequence_, change::started{time_point(std::chrono::nanoseconds(turn.began))},
                       persistence::until_done, {});
}

bool batch_core::told_to_stop(slot const& place, std::uint64_t index) const noexcept
{
    return phase_.load(std::memory_order_acquire) == phase::stopping ||
           place.stop_index.load(std::memory_order_acquire) == index;
}

stop_cause batch_core::cause_of(std::uint64_t index) noexcept
{
    std::scoped_lock const lock(mutex_);
    if (life_.is_shutting_down() && !life_.is_closed() && !find_job_stop(index))
        return stop_cause::shutdown;
    if (phase_.load() == phase::stopping && !find_job_stop(index))
        return life_.cause();
    return stop_cause::user;
}

bool batch_core::sleep(slot& place, std::uint64_t index, std::chrono::nanoseconds duration)
{
    time_point const until = time_after(now(), duration);
    std::unique_lock lock(mutex_);
    ++sleepers_;
    while (!told_to_stop(place, index) && now() < until)
        time_.wait_until(lock, sleep_condition_, until);
    bool const stopped = told_to_stop(place, index) && call_callbacks(lock, place, until);
    --sleepers_;
    return !stopped;
}

std::stop_token batch_core::stop_token(slot& place, std::uint64_t index)
{
    std::scoped_lock const lock(mutex_);
    // The body of a job that was abandoned has no place any more.
    if (place.abandoned) {
        std::stop_source fired;
        fired.request_stop();
        return fired.get_token();
    }
    if (!place.stop_source) {
        place.stop_source.emplace();
        ++tokens_;
        if (told_to_stop(place, index))
            place.stop_source->request_stop(); // nobody can have a callback on it yet
    }
    return place.stop_source->get_token();
}

std::stop_token batch_core::wait_token(slot& place, std::uint64_t index)
{
    std::scoped_lock const lock(mutex_);
    std::stop_source fresh;
    if (told_to_stop(place, index) || place.abandoned)
        fresh.request_stop();
    if (place.abandoned)
        return fresh.get_token();
    if (!place.wait_source) {
        place.wait_source = std::move(fresh);
        ++tokens_;
    }
    return place.wait_source->get_token();
}

bool batch_core::is_firing(slot const& place) noexcept
{
    // Who calls the callbacks may be the body itself, which then waits for nobody.
    return place.firing != std::thread::id() && place.firing != std::this_thread::get_id();
}

void batch_core::tell(slot& place, afterwards& then, std::shared_ptr<asynchronous_body> body)
{
    telling told{&place, std::nullopt, place.wait_source, nullptr};
    if (place.stop_source && !place.to_fire && !place.stop_source->stop_requested()) {
        place.to_fire = true;
        told.token = place.stop_source;
        told.body = std::move(body);
    } else if (body) {
        then.stopped.push_back(std::move(body));
    }
    if (told.token || told.wait)
        then.told.push_back(std::move(told));
}

void batch_core::tell_bodies(afterwards& then) noexcept
{
    // A callback may take for ever. Whom that is to hold up is its own body alone: so those who
    // sleep or wait are woken first, and call what is to be called before they go on themselves.
    sleep_condition_.notify_all();
    for (auto const& told : then.told)
        if (told.wait)
            told.wait->request_stop();
    for (auto const& told : then.told) {
        if (!told.token)
            continue;
        {
            std::unique_lock lock(mutex_);
            // Its body may have ended, and the slot be another's.
            if (told.place->stop_source == told.token)
                fire(lock, *told.place);
        }
        if (told.body)
            told.body->stop();
    }
}

void batch_core::fire(std::unique_lock<std::mutex>& lock, slot& place) noexcept
{
    if (!std::exchange(place.to_fire, false))
        return;
    place.firing = std::this_thread::get_id();
    auto source = *place.stop_source;
    lock.unlock();
    source.request_stop();
    lock.lock();
    // It may have been abandoned meanwhile, or have ended in one of the callbacks.
    if (place.stop_source != source)
        return;
    place.firing = {};
    sleep_condition_.notify_all();
}

bool batch_core::call_callbacks(std::unique_lock<std::mutex>& lock, slot& place, time_point until)
{
    fire(lock, place);
    while (is_firing(place) && now() < until)
        time_.wait_until(lock, sleep_condition_, until);
    return !is_firing(place);
}

void batch_core::call_callbacks(slot& place)
{
    std::unique_lock lock(mutex_);
    (void)call_callbacks(lock, place, time_point::max());
}

bool batch_core::end_tokens(slot& place) noexcept
{
    std::unique_lock lock(mutex_);
    // Its callbacks are not to run beside the next attempt.
    (void)call_callbacks(lock, place, time_point::max());
    bool const fired = place.abandoned || (place.stop_source && place.stop_source->stop_requested());
    drop_tokens(place);
    return fired;
}

void batch_core::drop_tokens(slot& place) noexcept
{
    if (std::exchange(place.stop_source, std::nullopt))
        --tokens_;
    if (std::exchange(place.wait_source, std::nullopt))
        --tokens_;
    place.to_fire = false;
    place.firing = {};
}

} // namespace detail

} // namespace belay
