#ifndef BELAY_HTTP_SRC_PROGRAM_PROBLEM_LOG_HPP
#define BELAY_HTTP_SRC_PROGRAM_PROBLEM_LOG_HPP

#include <belay/engine.hpp>

#include <chrono>
#include <map>
#include <mutex>
#include <string>

namespace belay::program {

/// Logs what an engine tells of its problems, one of a kind once a minute at most.
///
/// Thread safety: full.
class problem_log {
public:
    void tell(problem const& problem);

private:
    std::mutex mutex_;
    std::map<std::string, std::chrono::steady_clock::time_point> told_; // guarded by mutex_
};

} // namespace belay::program

#endif
