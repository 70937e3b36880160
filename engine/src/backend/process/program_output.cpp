// What a program writes, and what of it is kept.
#include "backend/process/program.hpp"

#include <belay/detail/shortage.hpp>
#include <belay/error.hpp>

#include <boost/asio/post.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <string>
#include <system_error>
#include <utility>

#include <sys/ioctl.h>
#include <unistd.h>

namespace belay::detail {

namespace {

constexpr std::string_view progress_word = "BELAY_PROGRESS ";
constexpr std::size_t progress_line_bytes_max = 64;

/// How long the end of a program waits for its logs.
constexpr std::chrono::milliseconds log_time_max{1000};
constexpr std::chrono::milliseconds log_time_max_of_stopped{100};
constexpr std::chrono::milliseconds log_pause{50};

/// Keeps the last `most` bytes, and for a while twice as many, so that few have to be moved.
void append_tail(std::string& to, std::string_view bytes, std::size_t most)
{
    to.append(bytes.substr(bytes.size() - std::min(bytes.size(), most)));
    if (to.size() > 2 * most)
        to.erase(0, to.size() - most);
}

} // namespace

void program_run::watch(pipe& from)
{
    from.descriptor.async_wait(
        boost::asio::posix::stream_descriptor::wait_read,
        [self = shared_from_this(), &from](boost::system::error_code problem) {
            if (problem || self->is_over_)
                return; // once it is over all that is left is read at once
            self->guarded([&] {
                if (!self->can_take(from))
                    self->after(shortage_pause, [self = self.get(), &from] { self->watch(from); });
                else if (self->read(from, read_bytes_max))
                    self->watch(from);
                else
                    from.descriptor.close();
            });
        });
}

bool program_run::can_take(pipe const& from)
{
    int bytes = 0;
    if (&from == &error_ || draft_ || end_->problem || !setup_.command.output.empty() ||
        ::ioctl(output_.descriptor.native_handle(), FIONREAD, &bytes) != 0 || bytes == 0)
        return true;
    try {
        draft_.emplace(host_.outputs->make());
    } catch (...) {
        // Its output waits in the pipe, and it with that, until there is a descriptor.
        auto const problem = std::current_exception();
        if (is_shortage(problem) && !is_stopped_)
            return false;
        fail(problem);
    }
    return true;
}

bool program_run::read(pipe& from, std::size_t most)
{
    auto& buffer = host_.buffer;
    for (std::size_t taken = 0; taken < most;) {
        ssize_t const got = ::read(from.descriptor.native_handle(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 && errno == EAGAIN;
        taken += static_cast<std::size_t>(got);
        take(from, {buffer.data(), static_cast<std::size_t>(got)});
    }
    return true;
}

void program_run::take(pipe& from, std::string_view bytes)
{
    command const& command = setup_.command;
    from.bytes += bytes.size();
    log(from, bytes);
    look_for_progress(from, bytes);
    if (&from == &error_)
        return append_tail(end_->what.standard_error, bytes, command.captured_bytes_max);
    auto& captured = end_->what.standard_output;
    captured.append(bytes.substr(0, command.captured_bytes_max - captured.size()));
    if (!command.output.empty() || end_->problem)
        return;
    if (from.bytes > command.output_bytes_max)
        return fail(std::make_exception_ptr(
            job_failure(failure::failed, "its output is longer than " +
                                             std::to_string(command.output_bytes_max) + " bytes")));
    try {
        if (!draft_)
            draft_.emplace(host_.outputs->make());
        draft_->write(bytes);
    } catch (...) {
        fail(std::current_exception());
    }
}

/// Of an attempt after the first there is a log from its start: so it can be told that this has
/// been started from that the one before has failed.
void program_run::begin_log() noexcept
try {
    if (setup_.output.attempt < 2)
        return;
    output_.log = log_writer::make(host_.logs, setup_.output, output_.stream);
    host_.log_pieces.begin(output_.log);
} catch (...) {
    host_.log_pieces.could_not();
}

/// So what it writes can be read while it runs. Nothing else depends on that, whatever becomes of
/// it, and nobody waits for the disk here. The file is opened each time: as many descriptors as two
/// for each program would be more than that is worth.
void program_run::log(pipe& from, std::string_view bytes) noexcept
{
    std::uint64_t const most = setup_.command.log_bytes_max;
    if (from.log_is_over || most == 0)
        return;
    auto const kept = bytes.substr(
        0, static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), most - from.logged)));
    from.log_is_over = kept.size() != bytes.size();
    try {
        if (!from.log)
            from.log = log_writer::make(host_.logs, setup_.output, from.stream);
    } catch (...) {
        from.log_is_over = true;
        return host_.log_pieces.could_not();
    }
    if (!kept.empty() && !host_.log_pieces.add(from.log, kept))
        from.log_is_over = true;
    else if (from.log_is_over)
        host_.log_pieces.cut(from.log);
    from.logged += kept.size();
}

/// So a log is whole when the end of its program is told; not for long, where the disk hangs.
bool program_run::waits_for_logs()
{
    auto const now = std::chrono::steady_clock::now();
    if (!logs_since_)
        logs_since_ = now;
    bool const is_late =
        now - *logs_since_ >= (is_stopped_ ? log_time_max_of_stopped : log_time_max);
    bool waits = false;
    for (pipe* const from : {&output_, &error_}) {
        if (!from->log || host_.log_pieces.is_written(*from->log))
            continue;
        if (is_late) {
            host_.log_pieces.give_up(from->log);
            continue;
        }
        waits = true;
        host_.log_pieces.when_written(*from->log, [self = shared_from_this()] {
            try {
                boost::asio::post(self->host_.context, [self] { self->finish(); });
            } catch (...) {
                self->host_.look_again();
            }
        });
    }
    if (waits)
        after(log_pause, [this] { finish(); });
    return waits;
}

void program_run::fail(std::exception_ptr problem)
{
    end_->problem = std::move(problem);
    draft_.reset();
    if (!is_over_)
        kill_tree();
}

void program_run::look_for_progress(pipe& from, std::string_view bytes)
{
    while (!bytes.empty()) {
        auto const end = bytes.find('\n');
        // Of a line that is too long only the begin is looked at.
        from.line.append(
            bytes.substr(0, std::min(end, progress_line_bytes_max - from.line.size())));
        if (end == std::string_view::npos)
            return;
        bytes.remove_prefix(end + 1);
        std::string_view const line = from.line;
        if (line.starts_with(progress_word)) {
            double fraction = 0;
            char const* const begin = line.data() + progress_word.size();
            auto const [last, fault] = std::from_chars(begin, line.data() + line.size(), fraction);
            if (fault == std::errc() && last == line.data() + line.size())
                setup_.progress(fraction);
        }
        from.line.clear();
    }
}

void program_run::hand_to_files()
{
    auto const before = keeping_.exchange(keeping::under_way);
    end_->problem = nullptr;
    try {
        host_.on_files([self = shared_from_this()] { self->collect(); });
    } catch (...) {
        keeping_ = before;
        throw;
    }
}

void program_run::collect() noexcept
{
    try {
        if (!draft_)
            draft_.emplace(host_.outputs->adopt(setup_.scratch / setup_.command.output));
        if (draft_->size() > setup_.command.output_bytes_max)
            throw job_failure(failure::failed, "its output has " + std::to_string(draft_->size()) +
                                                   " bytes; at most " +
                                                   std::to_string(setup_.command.output_bytes_max) +
                                                   " are kept");
        end_->what.output_bytes = draft_->size();
        host_.outputs->keep(*draft_, setup_.output, setup_.is_overdue);
        // Not where something may still be written into it: that would go into the output.
        if (setup_.command.output.empty() && output_.log && host_.log_pieces.is_there(*output_.log))
            host_.logs->share(setup_.output, output_.stream, host_.outputs->place(setup_.output));
    } catch (...) {
        end_->problem = std::current_exception();
    }
    bool const is_put_off = is_shortage(end_->problem) && !is_stopped_;
    if (!is_put_off)
        draft_.reset();
    keeping_ = is_put_off ? keeping::put_off : keeping::over;
    try {
        boost::asio::post(host_.context, [self = shared_from_this(), is_put_off] {
            if (is_put_off)
                self->after(shortage_pause, [self = self.get()] { self->finish(); });
            else
                self->finish();
        });
    } catch (...) {
        host_.look_again();
    }
}

} // namespace belay::detail
