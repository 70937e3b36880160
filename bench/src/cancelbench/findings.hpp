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

/// What was found of the truth of one peer's cancels.
struct truth {
    std::string peer;
    std::uint64_t cancels = 0;
    std::uint64_t started_after = 0;
    std::optional<std::uint64_t> results_lost = {};   ///< nothing if it keeps none
    std::optional<std::uint64_t> wrong_accounts = {}; ///< nothing if it gives none
    std::uint64_t kills = 0;
    std::uint64_t survived = 0;            ///< kills after which it still knew of the cancel
    std::uint64_t started_after_kill = 0;
    std::uint64_t results_lost_by_kill = 0;
    std::optional<std::uint64_t> left_alive = {}; ///< processes; nothing if it runs none
    bench::samples cpu_us = {};                   ///< of a cancel
    std::uint64_t cpu_at = 0;                     ///< pending jobs
};

struct findings {
    std::vector<chart> charts = {};
    std::vector<truth> truths = {};
    std::vector<std::string> notes = {};
    std::vector<std::string> peers = {}; ///< with their versions
};

} // namespace belay::cancelbench

#endif
