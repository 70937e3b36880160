#include "program/local_engine.hpp"

#include "program/problem_log.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <spdlog/spdlog.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

namespace belay::program {

engine_options local_engine(std::size_t workers)
{
    engine_options options;
    options.workers = workers;
    auto const log = std::make_shared<problem_log>(
        system_clock(), [](std::string const& line) { spdlog::error("{}", line); });
    options.on_problem = [log](problem const& told) { log->tell(told); };
    options.on_worker_start = [] {
        // On Linux this is the thread's own; where it is refused the workers stay as they are.
        (void)setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), 10);
    };
    return options;
}

void leave(int status)
{
    std::fflush(stdout); // not standard error: the log may wait there for ever
    std::_Exit(status);
}

} // namespace belay::program
