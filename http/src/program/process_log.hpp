#ifndef BELAY_HTTP_PROGRAM_PROCESS_LOG_HPP
#define BELAY_HTTP_PROGRAM_PROCESS_LOG_HPP

#include <cstdint>
#include <memory>

namespace belay::program {

/// How a line of the log looks.
enum class log_format : std::uint8_t {
    text, ///< for people
    json, ///< an object a line, with `time`, `level`, `message`, and the members of the line
};

/// The log of the process, on standard error, written by a thread of its own. Where nobody reads it
/// no one waits: the oldest lines are dropped, and the next line that is written says how many.
class process_log {
public:
    /// From here on what is logged goes there.
    explicit process_log(log_format format);

    /// Waits until what was logged so far has been written, at most a second.
    void finish() const;

private:
    class sink;
    std::shared_ptr<sink> sink_;
};

} // namespace belay::program

#endif
