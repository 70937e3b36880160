#include <belay/batch.hpp>
#include <belay/job_type.hpp>

#include "base/time_after.hpp"
#include "batch/core.hpp"
#include "recorded/recorded.hpp"

#include <algorithm>
#include <utility>

namespace belay {

detail::batch_core& any_batch::core() const
{
    if (!core_)
        throw error(errc::no_batch, "the handle is empty: it was given no batch, or was moved from");
    return *core_;
}

std::uint64_t any_batch::size() const { return core().total(); }

std::size_t any_batch::concurrency() const { return core().concurrency(); }

std::chrono::milliseconds any_batch::grace() const { return core().grace(); }

batch_options const& any_batch::options() const { return core().options(); }

cancel_result any_batch::cancel(cancel_request const& request) const
{
    return core().cancel(request, stop_cause::user);
}

void any_batch::cancel(cancel_request const& request,
                       std::function<void(cancel_result const&)> done) const
{
    core().cancel(request, stop_cause::user, std::move(done));
}

job_cancel_result any_batch::cancel_job(std::uint64_t index, cancel_request const& request) const
{
    return core().cancel_job(index, request);
}

void any_batch::cancel_job(std::uint64_t index, cancel_request const& request,
                           std::function<void(job_cancel_result const&)> done) const
{
    core().cancel_job(index, request, std::move(done));
}

any_batch::subscription any_batch::on_job_end(std::uint64_t index,
                                              std::function<void()> callback) const
{
    return core().on_job_end(index, std::move(callback));
}

batch_status any_batch::wait() const
{
    (void)core().wait(std::nullopt);
    return core().status();
}

bool any_batch::wait_for(std::chrono::nanoseconds duration) const
{
    return core().wait(detail::time_after(core().now(), duration));
}

bool any_batch::wait_until(time_point time) const { return core().wait(time); }

batch_state any_batch::state() const { return core().state(); }

batch_status any_batch::status() const { return core().status(); }

job_status any_batch::job(std::uint64_t index) const { return core().job(index); }

job_mark any_batch::job_mark_of(std::uint64_t index) const
{
    return core().job_mark_of(index);
}
job_state any_batch::job_state_of(std::uint64_t index) const { return core().job_state_of(index); }

any_batch::subscription any_batch::on_end(std::function<void()> callback) const
{
    return core().on_end(std::move(callback));
}

void any_batch::unsubscribe(subscription subscription) const noexcept
{
    if (core_)
        core_->unsubscribe(subscription);
}

recorded& recorded_batch::record() const
{
    (void)core();
    return *recorded_;
}

std::string const& recorded_batch::id() const { return record().batch.id; }
std::uint64_t recorded_batch::sequence() const { return record().batch.sequence; }
std::string const& recorded_batch::type() const { return record().batch.type; }
std::string const& recorded_batch::name() const { return record().batch.name; }
std::string const& recorded_batch::owner() const { return record().batch.owner; }

std::string const& recorded_batch::collection() const
{
    return record().batch.collection;
}

std::string const& recorded_batch::created_by() const
{
    return record().batch.created_by;
}

std::string const& recorded_batch::from() const
{
    return record().batch.from;
}

void recorded_batch::durations(
    std::uint64_t first, std::uint64_t end,
    std::function<void(std::uint64_t, std::chrono::nanoseconds)> const& visit) const
{
    core().durations(first, end, visit);
}

origin_ptr const& recorded_batch::origin() const
{
    return record().batch.origin;
}

std::uint64_t recorded_batch::upload_bytes() const
{
    return record().batch.upload_bytes;
}

std::string recorded_batch::input(std::uint64_t index) const
{
    core().require_job(index);
    return record().input(index);
}

std::vector<error_count> recorded_batch::errors(std::size_t most) const
{
    return core().errors(most);
}

std::optional<std::string> recorded_batch::output(std::uint64_t index) const
{
    return core().output(index);
}

std::optional<job_file> recorded_batch::open_output(std::uint64_t index) const
{
    auto found = record().open_output(core(), index);
    if (!found)
        return std::nullopt;
    std::uint64_t const size = found->size();
    return job_file(std::make_shared<file const>(std::move(*found)), 0, size);
}

std::optional<job_log> recorded_batch::open_log(std::uint64_t index, job_stream stream,
                                                std::optional<unsigned> attempt) const
{
    auto found = record().open_log(core(), index, stream, attempt);
    if (!found)
        return std::nullopt;
    std::shared_ptr<file const> bytes;
    if (found->bytes)
        bytes = std::make_shared<file const>(std::move(*found->bytes));
    std::uint64_t const size = bytes ? bytes->size() : 0;
    return job_log{found->attempt, found->is_over, found->is_cut,
                   job_file(std::move(bytes), 0, size)};
}

job_file job_file::grown() const
{
    bool const is_all = file_ && begin_ == 0;
    return {file_, begin_, is_all ? std::max(size_, file_->size()) : size_};
}

int job_file::descriptor() const noexcept
{
    return file_ ? file_->get() : -1;
}

void job_file::read(std::uint64_t offset, std::size_t bytes, std::string& to) const
{
    std::uint64_t const left = offset < size_ ? size_ - offset : 0;
    bytes = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, left));
    if (bytes == 0)
        return;
    std::size_t const before = to.size();
    to.resize(before + bytes);
    if (file_->read(begin_ + offset, to.data() + before, bytes))
        return;
    to.resize(before);
    throw error(errc::store_failed, "the file of the job can't be read");
}

} // namespace belay
