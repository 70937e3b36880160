#include "cancelbench/topics.hpp"

#include "suite/machine.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

namespace belay::cancelbench {

void measure_throughput(peer_list const& peers, effort const& effort, findings& found)
{
    chart cost{"job_cost", "What a job takes beyond the ideal, its body's time shared by the workers",
               "nanoseconds in the body", "ns"};
    for (std::int64_t const body : {0, 100, 1'000, 10'000, 100'000, 1'000'000}) {
        // Those with a body take about a fifth of a second in the ideal.
        auto const jobs = static_cast<std::uint64_t>(std::min<std::int64_t>(
            250'000, bench::workers * 200'000'000 / std::max<std::int64_t>(body, 1)));
        double const ideal = static_cast<double>(body) / bench::workers;
        measure(peers,
                {.script = "throughput", .jobs = jobs, .workers = bench::workers, .body_ns = body},
                effort, static_cast<double>(body),
                {{cost, [&](answer const& answer) -> std::optional<double> {
                      if (!answer.called || !answer.awake)
                          return std::nullopt;
                      return static_cast<double>(*answer.awake - *answer.called) /
                                 static_cast<double>(jobs) -
                             ideal;
                  }}});
    }
    found.charts.push_back(std::move(cost));
}

} // namespace belay::cancelbench
