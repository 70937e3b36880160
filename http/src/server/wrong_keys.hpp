#ifndef BELAY_HTTP_SERVER_WRONG_KEYS_HPP
#define BELAY_HTTP_SERVER_WRONG_KEYS_HPP

#include <chrono>
#include <cstddef>
#include <string>
#include <unordered_map>

namespace belay::http {

/// Counts the requests without a right key, for each address: so many a minute are told what is
/// wrong with their key, the others that there were too many. Time is given, never taken.
class wrong_keys {
public:
    using time_point = std::chrono::steady_clock::time_point;

    static constexpr std::chrono::seconds window{60};

    /// How many addresses are remembered; beyond it one of them is forgotten.
    static constexpr std::size_t addresses_max = 4096;

    explicit wrong_keys(std::size_t a_window_max) : most_(a_window_max) {}

    struct verdict {
        std::chrono::seconds wait; ///< until the next is told what is wrong; 0 if this one is
        bool is_first = false;     ///< that is not, from there, in this window
    };

    /// Notes one from that address.
    [[nodiscard]] verdict note(std::string const& address, time_point now);

    [[nodiscard]] std::size_t most() const noexcept { return most_; }
    [[nodiscard]] std::size_t remembered() const noexcept { return seen_.size(); }

private:
    struct seen {
        time_point since;
        std::size_t count = 0;
        bool is_over = false;
    };

    void forget_old(time_point now);

    std::size_t most_;
    std::unordered_map<std::string, seen> seen_;
    time_point looked_{}; ///< for old ones
};

} // namespace belay::http

#endif
