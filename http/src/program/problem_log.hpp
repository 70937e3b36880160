#ifndef BELAY_HTTP_PROGRAM_PROBLEM_LOG_HPP
#define BELAY_HTTP_PROGRAM_PROBLEM_LOG_HPP

#include "message/log_limit.hpp"

#include <belay/clock.hpp>
#include <belay/engine.hpp>

#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <utility>

namespace belay::program {

/// Writes the problems of an engine, of each kind at most one a minute.
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
        std::scoped_lock const lock(mutex_);
        if (auto const more = limit_.take(told.kind, time_.now()))
            write_(told.kind + ": " + told.message + *more);
    }

private:
    clock& time_;
    std::function<void(std::string const&)> const write_;
    std::mutex mutex_;
    http::log_limit<time_point> limit_{1, pause}; // guarded by mutex_
};

} // namespace belay::program

#endif
