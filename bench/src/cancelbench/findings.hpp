// What `belay bench` has found, before it is shown in one way or another.
#ifndef BELAY_CANCELBENCH_FINDINGS_HPP
#define BELAY_CANCELBENCH_FINDINGS_HPP

#include "suite/report.hpp"
#include "suite/samples.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace belay::cancelbench {

/// What one peer came to at one place of the axis.
struct series_point {
    double at = 0; ///< on the axis
    bench::samples values = {};
    bench::samples ratios = {}; ///< to belay's of the same round
};

struct series {
    std::string peer;
    std::vector<series_point> points = {};
};

/// Something measured, with all peers beside each other.
struct chart {
    std::string name;  ///< a word, for files
    std::string title; ///< for people, with the unit
    std::string axis;  ///< what the points differ in; empty if there is one a peer
    std::string unit;
    std::vector<series> lines = {};

    /// The line of `peer`, made if there is none.
    series& line(std::string const& peer);

    /// The point of `peer` at `at`, made likewise.
    series_point& point(std::string const& peer, double at);
};

/// What was found of the truth of one peer's cancels; nothing where that was not looked at, or the peer says
/// nothing that could be wrong.
struct truth {
    using count = std::optional<std::uint64_t>;

    std::string peer;
    std::uint64_t cancels = 0;
    count started_after = {};
    count still_running = {}; ///< bodies, when the caller was told that all is quiet
    count results_lost = {};
    count wrong_accounts = {};
    std::uint64_t kills = 0;
    count cancels_lost = {}; ///< by kills
    count started_after_kill = {};
    count results_lost_by_kill = {};
    count left_alive = {};      ///< processes
    bench::samples cpu_us = {}; ///< of a cancel

    /// Adds to a count that may be the first.
    static void add(count& to, std::uint64_t more) { to = to.value_or(0) + more; }
};

struct findings {
    std::vector<chart> charts = {};
    std::vector<truth> truths = {};
    std::vector<bench::figure> figures = {};
    std::vector<std::string> notes = {};
    std::vector<std::string> peers = {}; ///< with their versions
    std::string machine = {};
    bool is_complete = true; ///< every question was answered

    /// What others have found goes behind it.
    void append(findings others);
};

} // namespace belay::cancelbench

#endif
