#ifndef BELAY_TESTS_EVENTUALLY_HPP
#define BELAY_TESTS_EVENTUALLY_HPP

#include <chrono>
#include <thread>

namespace belay::test {

/// How long any test waits for anything; to be met only by a defect.
inline constexpr std::chrono::seconds patience{30};

/// Waits until `holds()`; false if that takes longer than `patience`.
template <class Condition>
[[nodiscard]] bool eventually(Condition holds)
{
    auto const deadline = std::chrono::steady_clock::now() + patience;
    while (!holds()) {
        if (std::chrono::steady_clock::now() > deadline)
            return false;
        std::this_thread::yield();
    }
    return true;
}

} // namespace belay::test

#endif
