#include "cancelbench/topics.hpp"

#include "suite/machine.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <utility>

namespace belay::cancelbench {

namespace {

/// A cancel as most of these measure it.
request usual_cancel(effort const& effort)
{
    return {.script = "cancel",
            .jobs = std::min<std::uint64_t>(100'000, effort.pending_max),
            .workers = bench::workers,
            .running = bench::workers,
            .body = "poll",
            .body_ns = 50'000,
            .poll_ns = 1'000,
            .pause_ns = 1'500'000};
}

/// Until they are told to stop: a body that might end by itself while its stop is on its way would not see it, and
/// so the slow ones would be missing.
constexpr std::int64_t without_end = 60'000'000'000;

/// The moments of one cancel. Cold there is one worker fewer, so that the caller has a processor to itself;
/// warm the other run has that.
void measure_moments(peer_list const& peers, effort const& effort, findings& found, bool warm)
{
    std::string const how = warm ? "warm" : "cold";
    std::array<chart, 6> charts{
        chart{"call_" + how, "Until the call is back, " + how, "", "µs"},
        chart{"seen_" + how, "Until the last running body sees the stop, " + how, "", "µs"},
        chart{"closed_" + how, "Until the gate is closed, by the library's own clock, " + how, "", "µs"},
        chart{"ended_" + how, "Until all have ended, by the library's own clock, " + how, "", "µs"},
        chart{"quiet_" + how, "Until the last body has left, " + how, "", "µs"},
        chart{"awake_" + how, "Until the caller knows that all is quiet, " + how, "", "µs"}};
    auto request = usual_cancel(effort);
    request.workers = warm ? bench::workers : bench::workers - 1;
    request.running = bench::workers - 1;
    request.body_ns = without_end;
    request.warm = warm;
    measure(peers, request, effort, 0,
                  {{charts[0], microseconds(&answer::called, &answer::returned)},
                   {charts[1], microseconds(&answer::called, &answer::seen)},
                   {charts[2], microseconds(&answer::called, &answer::closed)},
                   {charts[3], microseconds(&answer::called, &answer::ended)},
                   {charts[4], microseconds(&answer::called, &answer::quiet)},
                   {charts[5], microseconds(&answer::called, &answer::awake)}});
    found.charts.insert(found.charts.end(), charts.begin(), charts.end());
}

void measure_pending(peer_list const& peers, effort const& effort, findings& found)
{
    chart call{"call_pending", "Until the call is back", "pending jobs", "µs"};
    chart ended{"ended_pending", "Until all have ended, by the library's own clock", "pending jobs", "µs"};
    chart awake{"awake_pending", "Until the caller knows that all is quiet", "pending jobs", "µs"};
    for (std::uint64_t jobs = 1'000; jobs <= effort.pending_max; jobs *= 10) {
        auto request = usual_cancel(effort);
        request.jobs = jobs;
        measure(peers, request, effort, static_cast<double>(jobs),
                      {{call, microseconds(&answer::called, &answer::returned)},
                 {ended, microseconds(&answer::called, &answer::ended)},
                 {awake, microseconds(&answer::called, &answer::awake)}});
    }
    found.charts.push_back(std::move(awake));
    found.charts.push_back(std::move(ended));
    found.charts.push_back(std::move(call));
}

/// In a fresh process each time: afterwards a peer has memory to use again.
void measure_memory(peer_list const& peers, effort const& effort, findings& found)
{
    chart bytes{"memory_pending", "Memory for a pending job", "", "bytes"};
    for (auto const& peer : peers)
        for (int i = 0; i != 3; ++i) {
            auto request = usual_cancel(effort);
            request.jobs = std::min({std::uint64_t{1'000'000}, peer->who().jobs_max, effort.pending_max});
            if (auto const answer = ask_anew_if_able(*peer, request); answer && answer->bytes)
                bytes.point(peer->who().peer, 0)
                    .values.add(static_cast<double>(*answer->bytes) /
                                static_cast<double>(request.jobs));
        }
    found.charts.push_back(std::move(bytes));
}

void measure_polls(peer_list const& peers, effort const& effort, findings& found)
{
    chart seen{"seen_polls", "Until the last running body sees the stop",
               "nanoseconds between two questions", "µs"};
    for (std::int64_t const poll : {100, 1'000, 10'000, 100'000}) {
        auto request = usual_cancel(effort);
        request.workers = request.running = bench::workers - 1;
        request.body_ns = without_end;
        request.poll_ns = poll;
        measure(peers, request, effort, static_cast<double>(poll),
                      {{seen, microseconds(&answer::called, &answer::seen)}});
    }
    found.charts.push_back(std::move(seen));
}

void measure_bodies(peer_list const& peers, effort const& effort, findings& found)
{
    for (std::string const body : {"sleep", "descriptor", "coroutine"}) {
        chart seen{"seen_" + body, "Until a waiting body (" + body + ") goes on", "", "µs"};
        auto request = usual_cancel(effort);
        request.body = body;
        request.running = 1;
        request.workers = 1;
        if (body == "coroutine")
            request.jobs = 1; // all of them run at once
        measure(peers, request, effort, 0,
                      {{seen, microseconds(&answer::called, &answer::seen)}});
        found.charts.push_back(std::move(seen));
    }
    chart many{"awake_coroutines", "Until all coroutines have ended", "coroutines that wait", "µs"};
    for (std::uint64_t running = 1; running <= 10'000; running *= 10) {
        auto request = usual_cancel(effort);
        request.body = "coroutine";
        request.jobs = request.running = running;
        measure(peers, request, effort, static_cast<double>(running),
                      {{many, microseconds(&answer::called, &answer::awake)}});
    }
    found.charts.push_back(std::move(many));
}

} // namespace

void measure_cancel(peer_list const& peers, effort const& effort, findings& found)
{
    measure_moments(peers, effort, found, false);
    measure_moments(peers, effort, found, true);
    measure_pending(peers, effort, found);
    measure_memory(peers, effort, found);
    measure_polls(peers, effort, found);
    measure_bodies(peers, effort, found);
}

} // namespace belay::cancelbench
