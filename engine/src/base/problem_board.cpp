#include "base/problem_board.hpp"

#include "base/exception_message.hpp"

#include <exception>
#include <utility>

namespace belay::detail {

problem_board::problem_board(clock& time, std::function<void(problem const&)> on_problem)
    : time_(time), on_problem_(std::move(on_problem))
{
}

void problem_board::raise(std::string_view kind, std::string message) noexcept
{
    put(kind, std::move(message), time_point::max(), false);
}

void problem_board::clear(std::string_view kind) noexcept
{
    std::scoped_lock const lock(mutex_);
    if (auto const found = problems_.find(kind); found != problems_.end())
        problems_.erase(found);
}

void problem_board::incident(std::string_view kind, std::string message) noexcept
{
    put(kind, std::move(message), time_.now() + incident_time, true);
}

void problem_board::caught(std::string_view kind, std::string_view what) noexcept
try {
    incident(kind, std::string(what) + ": " + detail::message_of(std::current_exception()));
} catch (...) {
    incident(kind, {}); // there is no memory for more
}

void problem_board::put(std::string_view kind, std::string message, time_point until,
                        bool tell) noexcept
try {
    problem const said{std::string(kind), message};
    {
        std::scoped_lock const lock(mutex_);
        auto& line = problems_[said.kind];
        tell = tell || line.message != message;
        line = {std::move(message), until};
    }
    if (tell && on_problem_)
        on_problem_(said);
} catch (...) {
    // Neither the lack of memory nor a callback that throws may end the thread that reports.
}

void problem_board::tell(std::string_view kind, std::string_view message) noexcept
try {
    if (on_problem_)
        on_problem_({std::string(kind), std::string(message)});
} catch (...) {
    // As above.
}

void problem_board::notice(std::string_view kind, std::string message) noexcept
try {
    std::scoped_lock const lock(mutex_);
    notices_[std::string(kind)] = {std::move(message)};
} catch (...) {
    // As above.
}

void problem_board::drop_notice(std::string_view kind) noexcept
{
    std::scoped_lock const lock(mutex_);
    if (auto const found = notices_.find(kind); found != notices_.end())
        notices_.erase(found);
}

std::shared_ptr<void const> problem_board::share_notice(std::string_view kind,
                                                        std::string message) noexcept
try {
    std::unique_lock lock(mutex_);
    auto const place = notices_.try_emplace(std::string(kind)).first;
    place->second.message = std::move(message);
    ++place->second.sharers;
    lock.unlock(); // without memory for it, what is made here lets go at once
    return {&place->second, [this, place](line const*) {
                std::scoped_lock const lock(mutex_);
                if (--place->second.sharers == 0)
                    notices_.erase(place);
            }};
} catch (...) {
    return nullptr; // as above
}

std::vector<std::string> problem_board::problems() const
{
    time_point const now = time_.now();
    std::vector<std::string> result;
    std::scoped_lock const lock(mutex_);
    for (auto const& [kind, line] : problems_)
        if (now < line.until)
            result.push_back(line.message.empty() ? kind : line.message);
    return result;
}

std::vector<std::string> problem_board::notices() const
{
    std::vector<std::string> result;
    std::scoped_lock const lock(mutex_);
    for (auto const& [kind, line] : notices_)
        result.push_back(line.message);
    return result;
}

} // namespace belay::detail
