#include "problem_log.hpp"

#include <spdlog/spdlog.h>

namespace belay::program {

void problem_log::tell(problem const& problem)
{
    constexpr std::chrono::minutes pause{1};
    auto const now = std::chrono::steady_clock::now();
    {
        std::scoped_lock const lock(mutex_);
        auto const [last, is_first] = told_.try_emplace(problem.kind, now);
        if (!is_first && now - last->second < pause)
            return;
        last->second = now;
    }
    spdlog::error("{}: {}", problem.kind, problem.message);
}

} // namespace belay::program
