#ifndef BELAY_BENCH_MACHINE_HPP
#define BELAY_BENCH_MACHINE_HPP

#include <cstddef>
#include <cstdint>
#include <string>

namespace belay::bench {

/// How many workers every benchmark uses, and on how many processors it runs.
inline constexpr std::size_t workers = 2;

/// Keeps this process, and those it starts, on the first `workers` of the processors it may use;
/// where there are fewer, on those. To be called before any thread is made. Throws
/// std::system_error.
void keep_to_few_processors();

/// What it runs on, how busy that is, and what it was built with, in one line.
[[nodiscard]] std::string machine_description();

/// Resident memory of this process. Throws std::runtime_error where /proc is not to be had.
[[nodiscard]] std::uint64_t resident_bytes();

} // namespace belay::bench

#endif
