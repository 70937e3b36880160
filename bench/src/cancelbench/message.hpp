// This folder: cancelbench, the lines that peers and driver speak (docs/benchmarks/cancelbench.md), both sides of
// them, and belay as a peer. The suite and belay's public headers come in.
//
// What is said, as values.
#ifndef BELAY_CANCELBENCH_MESSAGE_HPP
#define BELAY_CANCELBENCH_MESSAGE_HPP

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace belay::cancelbench {

/// A line that says something else than it should; the text says what.
class wrong_line : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// A peer's `error`: it can't do what it was asked.
class refused : public wrong_line {
public:
    using wrong_line::wrong_line;
};

/// What a peer says of itself before anything else.
struct introduction {
    std::string peer;
    std::string version;
    std::vector<std::string> scripts;
    std::vector<std::string> bodies;
    std::uint64_t jobs_max = 0;
};

/// What a peer is asked to do. Times are in nanoseconds.
struct request {
    std::string script;
    std::uint64_t jobs = 0;
    std::size_t workers = 0;
    std::size_t running = 0;
    std::string body = "poll";
    std::int64_t body_ns = 0;
    std::int64_t poll_ns = 0;
    std::int64_t pause_ns = 0;
    bool warm = false;
    std::string ledger = {};
    std::string directory = {};
    std::vector<std::string> command = {};
};

/// What a library says of the jobs of a run.
struct account {
    std::uint64_t finished = 0;
    std::uint64_t interrupted = 0;
    std::uint64_t never_started = 0;
    bool operator==(account const&) const = default;
};

/// What a peer saw. Times are nanoseconds of CLOCK_MONOTONIC.
struct answer {
    std::optional<std::int64_t> called = {};
    std::optional<std::int64_t> closed = {};
    std::optional<std::int64_t> ended = {};
    std::optional<std::int64_t> returned = {};
    std::optional<std::int64_t> seen = {};
    std::optional<std::int64_t> quiet = {};
    std::optional<std::int64_t> awake = {};
    std::optional<std::int64_t> started = {};
    std::optional<std::int64_t> finished = {};
    std::optional<std::int64_t> interrupted = {};
    std::optional<std::int64_t> bytes = {};
    std::optional<std::int64_t> cpu_ns = {};
    std::optional<account> told = {};
    std::optional<std::int64_t> results = {};
    std::optional<bool> cancelled = {};
};

/// As lines, without the newline.
[[nodiscard]] std::string to_line(introduction const& introduction);
[[nodiscard]] std::string to_line(request const& request);
[[nodiscard]] std::string to_line(answer const& answer);
[[nodiscard]] std::string error_line(std::string_view text);

/// From lines. Throw `wrong_line`; `parse_answer` also `refused`, with the text of an `error`.
[[nodiscard]] introduction parse_introduction(std::string_view line);
[[nodiscard]] request parse_request(std::string_view line);
[[nodiscard]] answer parse_answer(std::string_view line);

} // namespace belay::cancelbench

#endif
