#ifndef BELAY_HTTP_PROGRAM_PROBLEM_LOG_HPP
#define BELAY_HTTP_PROGRAM_PROBLEM_LOG_HPP

#include <belay/clock.hpp>
#include <belay/engine.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace belay::program {

/// Writes the problems of an engine, of each kind at most one a minute: what goes wrong with every
/// job must not fill the log.
///
/// Thread safety: full; lines are written one at a time.
class problem_log {
public:
    static constexpr std::chrono::minutes pause{1};

    problem_log(clock& time, std::function<void(std::string const&)> write)
        : time_(time), write_(std::move(write))
    {
    }

    void tell(problem const& told)
    {
        time_point const now = time_.now();
        std::scoped_lock const lock(mutex_);
        last_line& last = lines_[told.kind];
        if (now < last.at + pause) {
            ++last.withheld;
            return;
        }
        std::string line = told.kind + ": " + told.message;
        if (last.withheld != 0)
            line += " (and " + std::to_string(last.withheld) + " more of this kind before)";
        last = {now, 0};
        write_(line);
    }

private:
    struct last_line {
        time_point at = time_point() - pause;
        std::uint64_t withheld = 0;
    };

    clock& time_;
    std::function<void(std::string const&)> const write_;
    std::mutex mutex_;
    std::map<std::string, last_line> lines_; // guarded by mutex_
};

} // namespace belay::program

#endif
