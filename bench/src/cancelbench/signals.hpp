#ifndef BELAY_CANCELBENCH_SIGNALS_HPP
#define BELAY_CANCELBENCH_SIGNALS_HPP

#include <stdexcept>

namespace belay::cancelbench {

/// SIGINT, SIGTERM or SIGHUP has come.
class stopped_by_signal : public std::runtime_error {
public:
    explicit stopped_by_signal(int number);
    [[nodiscard]] int number() const noexcept { return number_; }

private:
    int number_;
};

/// From now on these signals end each wait, and with it the run: nothing of it stays behind.
void catch_signals();

/// The signal that has come, or 0.
[[nodiscard]] int caught_signal() noexcept;

/// Throws `stopped_by_signal` if one has come.
void throw_if_caught();

} // namespace belay::cancelbench

#endif
