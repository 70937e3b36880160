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

std::optional<job_file> job::input_file()
{
    return detail::when_available(*this, [this] { return core_.input_file(index_); });
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

} // namespace detail

} // namespace belay
