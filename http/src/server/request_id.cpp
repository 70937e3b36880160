#include "server/request_id.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <random>

namespace belay::http {

std::string make_request_id()
{
    static std::uint64_t const process = [] {
        std::random_device random;
        return (std::uint64_t{random()} << 32) | random();
    }();
    static std::atomic<std::uint64_t> next{0};
    std::array<char, 40> text{};
    std::snprintf(text.data(), text.size(), "req-%016llx-%llx",
                  static_cast<unsigned long long>(process),
                  static_cast<unsigned long long>(++next));
    return text.data();
}

bool is_request_id(std::string_view given) noexcept
{
    constexpr std::size_t characters_max = 128;
    return !given.empty() && given.size() <= characters_max &&
           std::ranges::all_of(given, [](char c) { return c > 0x20 && c < 0x7F; });
}

} // namespace belay::http
