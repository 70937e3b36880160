#include "recorded/coroutines.hpp"

#include "recorded/recorded.hpp"

#include <belay/detail/run.hpp>

#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace belay::detail {

void coroutine_backend::start(recorded& batch, turn& turn, std::uint64_t index,
                              std::int64_t started) noexcept
{
    std::shared_ptr<detached_job> job;
    try {
        job = detach(turn, index, started);
        auto found = batch.find_input(index);
        batch.type().coroutine->start(
            turn, index, found.input, std::move(found.page), job,
            [&batch, job](belay::job& seen, std::optional<std::string>& text,
                          std::exception_ptr exception) {
                auto const end = [&](detail::turn& turn) {
                    recorded::value result{.text = std::move(text).value_or(""), .process = {}};
                    auto const how =
                        exception ? job_access::threw(seen) : job_access::returned(seen);
                    end_detached(turn, batch, job->index, how, result, exception, job->started);
                };
                resume(*job, std::cref(end)); // which needs no memory: nobody would do it again
            });
    } catch (...) {
        batch.not_begun(turn, job, index, started);
    }
}

} // namespace belay::detail
