// What is measured: a function a topic.
#ifndef BELAY_CANCELBENCH_TOPICS_HPP
#define BELAY_CANCELBENCH_TOPICS_HPP

#include "cancelbench/compare.hpp"
#include "cancelbench/findings.hpp"
#include "figures/question.hpp"

#include <cstddef>
#include <optional>

namespace belay::cancelbench {

/// How long a cancel takes, moment by moment, and what it depends on.
void measure_cancel(peer_list const& peers, effort const& effort, findings& found);

/// What a job costs, by how long its body takes.
void measure_throughput(peer_list const& peers, effort const& effort, findings& found);

/// Whether what the peers say of their cancels is true.
void check_truth(peer_list const& peers, effort const& effort, findings& found);

/// Answers a question in a process of its own, which is gone afterwards, with `runs` samples or as many as is usual.
/// Where something fails or is wrong there is a note. Throws `stopped_by_signal`.
void ask_question(bench::figures::question const& question, std::optional<std::size_t> runs, findings& found);

} // namespace belay::cancelbench

#endif
