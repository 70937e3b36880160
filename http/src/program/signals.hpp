#ifndef BELAY_HTTP_PROGRAM_SIGNALS_HPP
#define BELAY_HTTP_PROGRAM_SIGNALS_HPP

#include <signal.h>

#include <chrono>
#include <optional>

namespace belay::program {

/// The signals of the program come to whoever waits for them, not to whatever thread is there.
///
/// Lifetime: made before the first thread. Thread safety: full.
class signals {
public:
    /// A file that may grow no more and a pipe that nobody reads are errors of the call from here
    /// on, and children can be waited for, whatever the parent of the program had set.
    signals();

    /// The next one: SIGINT, SIGTERM or SIGHUP, or the `wake_up` of `wake`; nothing if none comes
    /// within `at_most`, where that is given.
    [[nodiscard]] std::optional<int>
    wait(std::optional<std::chrono::milliseconds> at_most = std::nullopt) const;

    /// Whether that one asks for the program's end. SIGHUP does, whoever sends it, where the
    /// program was started with a controlling terminal and did not find it ignored; else it means
    /// nothing yet.
    [[nodiscard]] bool is_end(int number) const noexcept;

    /// Another SIGINT or SIGTERM ends the program at once. Not another SIGHUP: of a terminal that
    /// is closed the kernel tells, and then the shell.
    void end_at_next() const;

    static int wake_up() noexcept { return SIGRTMIN; }

    /// Ends a wait. Allocates nothing, and may be called wherever `kill` may.
    static void wake() noexcept;

private:
    sigset_t set_{};
    bool has_terminal_;
};

/// "SIGHUP", say.
[[nodiscard]] char const* name_of_signal(int number) noexcept;

} // namespace belay::program

#endif
