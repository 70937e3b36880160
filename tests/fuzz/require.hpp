// How a fuzz target says that something does not hold.
#ifndef BELAY_TESTS_FUZZ_REQUIRE_HPP
#define BELAY_TESTS_FUZZ_REQUIRE_HPP

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

// Not std::source_location, which clang 14 lacks.
inline void require(bool holds, char const* file = __builtin_FILE(), int line = __builtin_LINE())
{
    if (holds)
        return;
    std::fprintf(stderr, "%s:%d: this does not hold\n", file, line);
    std::abort();
}

inline std::string_view as_text(std::uint8_t const* data, std::size_t size)
{
    return {reinterpret_cast<char const*>(data), size};
}

#endif
