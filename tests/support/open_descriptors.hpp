#ifndef BELAY_TESTS_SUPPORT_OPEN_DESCRIPTORS_HPP
#define BELAY_TESTS_SUPPORT_OPEN_DESCRIPTORS_HPP

#include <filesystem>
#include <set>
#include <string>

#include <fcntl.h>

namespace belay::test {

/// The descriptors that this process has open.
inline std::set<int> open_descriptors()
{
    std::set<int> open;
    for (auto const& entry : std::filesystem::directory_iterator("/proc/self/fd"))
        open.insert(std::stoi(entry.path().filename()));
    std::erase_if(open, [](int number) { return ::fcntl(number, F_GETFD) < 0; });
    return open;
}

} // namespace belay::test

#endif
