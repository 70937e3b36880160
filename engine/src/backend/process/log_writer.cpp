#include "backend/process/log_writer.hpp"

#include "base/exception_message.hpp"
#include "base/problem_board.hpp"

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace belay::detail {

namespace {

/// How long what comes waits for room: those who bring it have more to do.
constexpr std::chrono::milliseconds log_room_time_max{2};

constexpr std::chrono::milliseconds log_stop_time_max{500};

} // namespace

/// Lies in the queue while something of it waits, so that to put it there needs no memory.
struct log_writer::log {
    std::shared_ptr<job_logs const> logs;
    output_name name;
    job_stream stream;
    bool has_file = false; ///< the thread's own, until it is written
    // What follows is guarded by the mutex of `shared`.
    std::string waiting = {};
    bool is_queued = false;
    bool is_under_way = false; ///< some of it is being written
    bool is_over = false;      ///< nothing is added any more
    bool is_to_be_begun = false;
    bool is_to_be_cut = false;
    std::function<void()> then = {};
    log_ptr next = {};
};

struct log_writer::shared {
    explicit shared(problem_board* to) : board(to) {}

    // With the mutex held.
    void enqueue(log_ptr const& log) noexcept
    {
        if (log->is_queued)
            return;
        log->is_queued = true;
        (last == nullptr ? first : last->next) = log;
        last = log.get();
        added.notify_one();
    }
    [[nodiscard]] log_ptr pop() noexcept
    {
        auto taken = std::move(first);
        first = std::move(taken->next);
        if (first == nullptr)
            last = nullptr;
        taken->is_queued = false;
        return taken;
    }
    void end(log_ptr const& log) noexcept
    {
        log->is_over = true;
        log->is_to_be_cut = true;
        enqueue(log);
    }
    void let_go_of_waiting(log& log) noexcept
    {
        bytes -= log.waiting.size();
        std::string().swap(log.waiting);
    }
    void tell(std::string_view problem) noexcept
    try {
        is_told = true;
        if (board != nullptr)
            board->notice("logs", "logs of programs are not whole: " + std::string(problem));
    } catch (std::exception const&) {
        // There is no memory to say so.
    }
    void tell(std::exception_ptr const& problem) noexcept
    try {
        tell(message_of(problem));
    } catch (std::exception const&) {
        is_told = true; // as above
    }
    void take_back() noexcept
    {
        if (std::exchange(is_told, false) && board != nullptr)
            board->drop_notice("logs");
    }

    // Without it: the thread's own.
    void append(log& to, std::string_view bytes)
    {
        file const target = open(to);
        to.has_file = true;
        if (target.write(bytes) != 0)
            throw std::system_error(errno, std::system_category(),
                                    "the log of a program can't be written");
    }
    [[nodiscard]] file open(log const& to)
    {
        try {
            return to.logs->open_to_append(to.name, to.stream, !to.has_file);
        } catch (std::system_error const&) {
            if (!spare.is_open())
                throw;
        }
        spare = file();
        return to.logs->open_to_append(to.name, to.stream, !to.has_file);
    }
    void keep_spare() noexcept
    {
        if (!spare.is_open())
            spare = file(::open("/dev/null", O_PATH | O_CLOEXEC)); // which needs no memory
    }

    file spare;               ///< a descriptor for where there is no other
    std::mutex mutable mutex; // guards what follows
    std::condition_variable added;
    std::condition_variable removed;
    problem_board* board; ///< null once nobody is to be told
    log_ptr first;
    log* last = nullptr;
    log_ptr current;       ///< that is being written
    std::size_t bytes = 0; ///< of what waits and of what is being written
    bool has_thread = false;
    bool is_stuck = false; ///< since somebody waited for room in vain
    bool is_told = false;  ///< the notice board says that something went wrong
    bool is_stopped = false;
};

log_writer::log_writer(problem_board* board) : all_(std::make_shared<shared>(board)) {}

log_writer::~log_writer()
{
    stop();
}

void log_writer::start()
{
    std::scoped_lock const lock(all_->mutex);
    if (all_->has_thread || all_->is_stopped)
        return;
    all_->keep_spare(); // nobody else has it yet
    std::thread([all = all_] { run(all); }).detach();
    all_->has_thread = true;
}

log_writer::log_ptr log_writer::make(std::shared_ptr<job_logs const> logs, output_name const& name,
                                     job_stream stream)
{
    return std::make_shared<log>(log{.logs = std::move(logs), .name = name, .stream = stream});
}

void log_writer::begin(log_ptr const& log) noexcept
{
    std::scoped_lock const lock(all_->mutex);
    if (all_->is_stopped)
        return;
    log->is_to_be_begun = true;
    all_->enqueue(log);
}

bool log_writer::add(log_ptr const& to, std::string_view bytes) noexcept
{
    std::unique_lock lock(all_->mutex);
    if (to->is_over || all_->is_stopped)
        return false;
    auto const has_room = [&] { return all_->bytes + bytes.size() <= bytes_max; };
    if (!has_room() &&
        (all_->is_stuck || !all_->removed.wait_for(lock, log_room_time_max, has_room))) {
        all_->is_stuck = true;
        all_->tell("the disk does not take them fast enough");
        all_->end(to);
        return false;
    }
    if (to->is_over || all_->is_stopped)
        return false; // since the wait
    try {
        to->waiting.append(bytes);
        all_->bytes += bytes.size();
        all_->enqueue(to);
        return true;
    } catch (...) {
        all_->tell(std::current_exception());
        all_->end(to);
        return false;
    }
}

void log_writer::cut(log_ptr const& log) noexcept
{
    std::scoped_lock const lock(all_->mutex);
    if (!all_->is_stopped)
        all_->end(log);
}

void log_writer::could_not() noexcept
{
    std::scoped_lock const lock(all_->mutex);
    all_->tell(std::current_exception());
}

bool log_writer::is_written(log const& log) const noexcept
{
    std::scoped_lock const lock(all_->mutex);
    return !log.is_queued && !log.is_under_way;
}

bool log_writer::is_there(log const& log) const noexcept
{
    return is_written(log) && log.has_file;
}

void log_writer::when_written(log& log, std::function<void()> then)
{
    std::scoped_lock const lock(all_->mutex);
    if ((log.is_queued || log.is_under_way) && !all_->is_stopped)
        log.then.swap(then);
}

void log_writer::give_up(log_ptr const& log) noexcept
{
    std::scoped_lock const lock(all_->mutex);
    log->then = nullptr;
    if (!log->is_queued && !log->is_under_way)
        return;
    all_->let_go_of_waiting(*log);
    all_->tell("the disk does not take them fast enough");
    if (!all_->is_stopped)
        all_->end(log);
}

void log_writer::run(std::shared_ptr<shared> const& all) noexcept
{
    std::unique_lock lock(all->mutex);
    while (true) {
        all->added.wait(lock, [&] { return all->first || all->is_stopped; });
        if (!all->first)
            return;
        auto const log = all->current = all->pop();
        std::string bytes;
        bytes.swap(log->waiting);
        bool cuts = log->is_to_be_cut;
        bool const begins = cuts || log->is_to_be_begun;
        log->is_under_way = true;
        lock.unlock();
        std::exception_ptr problem;
        try {
            if (!bytes.empty() || (begins && !log->has_file)) // an empty one can be cut, too
                all->append(*log, bytes);
        } catch (...) {
            problem = std::current_exception();
        }
        cuts = cuts || problem;
        if (cuts)
            log->logs->cut(log->name, log->stream);
        all->keep_spare();
        lock.lock();
        log->is_under_way = false;
        all->current = nullptr;
        all->bytes -= bytes.size();
        all->is_stuck = false;
        if (problem) {
            log->is_over = true;
            all->let_go_of_waiting(*log);
            all->tell(problem);
        } else if (!all->first && !bytes.empty()) {
            all->take_back();
        }
        if (!log->is_queued)
            if (auto const then = std::exchange(log->then, nullptr))
                then();
        all->removed.notify_all();
    }
}

void log_writer::stop() noexcept
{
    std::unique_lock lock(all_->mutex);
    if (all_->has_thread)
        all_->removed.wait_for(lock, log_stop_time_max,
                               [&] { return !all_->first && !all_->current; });
    all_->is_stopped = true;
    all_->board = nullptr;
    all_->added.notify_all();
    // Whom `then` tells may be gone afterwards.
    if (all_->current)
        all_->current->then = nullptr;
    while (all_->first) {
        auto const log = all_->pop();
        log->then = nullptr;
        all_->let_go_of_waiting(*log);
    }
}

} // namespace belay::detail
