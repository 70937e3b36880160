#ifndef BELAY_BASE_PROBLEM_BOARD_HPP
#define BELAY_BASE_PROBLEM_BOARD_HPP

#include <belay/clock.hpp>
#include <belay/engine.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace belay::detail {

/// What an engine can't do at the moment, and what is worth knowing about it. Each has a kind,
/// which has one line at a time.
///
/// Thread safety: full; nothing of a caller's is called under its lock.
class problem_board {
public:
    /// How long something that went wrong once is shown.
    static constexpr std::chrono::minutes incident_time{1};

    problem_board(clock& time, std::function<void(problem const&)> on_problem);

    /// Something is wrong until `clear` says that it no longer is. `on_problem` is told where the
    /// line is a new one.
    void raise(std::string_view kind, std::string message) noexcept;
    void clear(std::string_view kind) noexcept;

    /// Something went wrong once: it is shown for `incident_time`. `on_problem` is told each time.
    void incident(std::string_view kind, std::string message) noexcept;
    /// The same for the exception in flight; `what` says what threw it.
    void caught(std::string_view kind, std::string_view what) noexcept;

    /// Calls `function`; what it throws is an incident. `what` says what that was, such as "a
    /// callback of on_end".
    template <class Function, class... Arguments>
    void attempt(std::string_view kind, std::string_view what, Function const& function,
                 Arguments const&... arguments) noexcept
    {
        try {
            function(arguments...);
        } catch (...) {
            caught(kind, what);
        }
    }

    /// Tells `on_problem` of what `problems` has from elsewhere.
    void tell(std::string_view kind, std::string_view message) noexcept;

    /// Something that holds until `drop_notice`, and is no problem.
    void notice(std::string_view kind, std::string message) noexcept;
    void drop_notice(std::string_view kind) noexcept;
    /// The same for something that holds of several: until the last of them lets go of what it got,
    /// which is before the board ends. Null where there is no memory for it.
    [[nodiscard]] std::shared_ptr<void const> share_notice(std::string_view kind,
                                                           std::string message) noexcept;

    [[nodiscard]] std::vector<std::string> problems() const;
    [[nodiscard]] std::vector<std::string> notices() const;

private:
    struct line {
        std::string message;
        time_point until = time_point::max();
        std::size_t sharers = 0;
    };
    using lines = std::map<std::string, line, std::less<>>;

    void put(std::string_view kind, std::string message, time_point until, bool tell) noexcept;

    clock& time_;
    std::function<void(problem const&)> const on_problem_;
    mutable std::mutex mutex_;
    lines problems_; // guarded by mutex_
    lines notices_;  // likewise
};

/// The same for something of a caller's, whose engine may be gone: then nobody is left to be told.
template <class Host, class Callback, class... Arguments>
void call_back(std::weak_ptr<Host> const& host, std::string_view what, Callback const& callback,
               Arguments const&... arguments) noexcept
{
    if (auto const alive = host.lock())
        return alive->board().attempt("callback", what, callback, arguments...);
    try {
        callback(arguments...);
    } catch (...) {
        // As said.
    }
}

} // namespace belay::detail

#endif
