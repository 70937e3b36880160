// Writes the logs of programs, on a thread of its own: a disk may let it wait.
#ifndef BELAY_BACKEND_PROCESS_LOG_WRITER_HPP
#define BELAY_BACKEND_PROCESS_LOG_WRITER_HPP

#include "store/files/job_logs.hpp"

#include <belay/process.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

namespace belay::detail {

class problem_board;

/// What comes is kept in memory until it is written; what is too much of that, or can't be written,
/// ends its log.
///
/// Thread safety: full, but a log is added to by one thread.
class log_writer {
public:
    /// What waits to be written, of all logs together.
    static constexpr std::size_t bytes_max = 4 * 1024 * 1024;

    /// What goes wrong is told on the board, if there is one.
    explicit log_writer(problem_board* board);
    ~log_writer();
    log_writer(log_writer const&) = delete;
    log_writer& operator=(log_writer const&) = delete;

    /// Makes the thread if there is none. Throws std::system_error.
    void start();

    struct log;
    using log_ptr = std::shared_ptr<log>;
    /// Its file is made with the first bytes, unless it is begun before.
    [[nodiscard]] static log_ptr make(std::shared_ptr<job_logs const> logs, output_name const& name,
                                      job_stream stream);

    /// Makes its file before there is anything for it.
    void begin(log_ptr const& log) noexcept;
    /// Adds to a log; false if nothing is added to it any more. Waits a moment where there is no
    /// room, if the last wait was not in vain.
    bool add(log_ptr const& to, std::string_view bytes) noexcept;
    /// There is more than is kept.
    void cut(log_ptr const& log) noexcept;
    /// Tells that a log could not be begun: the exception in flight says why.
    void could_not() noexcept;

    /// Whether all that was added is in the file.
    [[nodiscard]] bool is_written(log const& log) const noexcept;
    /// The same of one that has a file.
    [[nodiscard]] bool is_there(log const& log) const noexcept;
    /// Has `then` called once all of it is written, unless it is; on the thread, under a lock: it
    /// must not wait, throw, or come back here.
    void when_written(log& log, std::function<void()> then);
    /// Writes no more of it.
    void give_up(log_ptr const& log) noexcept;

    /// Waits a moment until all is written. A thread that hangs is left to itself, and what is left
    /// to be written is let go of.
    void stop() noexcept;

private:
    struct shared;
    static void run(std::shared_ptr<shared> const& all) noexcept;
    std::shared_ptr<shared> const all_;
};

} // namespace belay::detail

#endif
