// The rule of which end counts, against the table of it in the document.
#include "batch/verdict.hpp"

#include "document.hpp"

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <map>
#include <string>
#include <vector>

using namespace belay::detail;
using belay::test::section;
using belay::test::split;

namespace {

std::map<std::string, body_end> const bodies{
    {"was never entered", {.entered = false}},
    {"returns, and was not shown its stop", {}},
    {"returns, and was shown its stop", {.shown = true}},
    {"returns after `keep_result()`", {.kept = true}},
    {"throws", {.threw = true}},
};

std::map<std::string, program_verdict> const programs{
    {"was never started", {.started = false}},
    {"ends well by itself", {.well = true}},
    {"ends badly by itself", {}},
    {"ends after SIGTERM", {.well = true, .was_terminated = true}},
    {"ends well after SIGTERM, and its type says that it has finished then",
     {.well = true, .was_terminated = true, .finishes_at_stop = true}},
    {"ends by SIGKILL", {.was_terminated = true, .was_killed = true}},
};

template <class End>
End with(End end, std::string const& stop)
{
    end.closed = stop == "the batch drains" || stop == "told to stop";
    end.told = stop == "told to stop" || stop == "ran into its time-out";
    end.timed_out = stop == "ran into its time-out";
    return end;
}

std::string word_for(job_byte byte)
{
    switch (byte) {
    case job_byte::succeeded: return "`succeeded`";
    case job_byte::succeeded_late: return "`succeeded`, late";
    case job_byte::failed: return "`failed`";
    case job_byte::not_started: return "`not_started`";
    case job_byte::stopped: return "`stopped`";
    case job_byte::terminated: return "`terminated`";
    case job_byte::killed: return "`killed`";
    default: return "something else";
    }
}

} // namespace

BOOST_AUTO_TEST_SUITE(verdict_test)

BOOST_AUTO_TEST_CASE(every_end_is_the_one_in_the_document)
{
    std::vector<std::string> stops;
    std::size_t compared = 0;
    for (auto const& line : section("Which end counts")) {
        auto const cells = split(line, "|");
        if (cells.size() != 7)
            continue;
        if (stops.empty()) {
            stops = cells;
            continue;
        }
        auto const body = bodies.find(cells[1]);
        auto const program = programs.find(cells[1]);
        if (body == bodies.end() && program == programs.end())
            continue;
        for (std::size_t i = 2; i != 6; ++i) {
            if (cells[i].empty())
                continue; // nobody is shown a stop that there is not
            auto const how = body != bodies.end() ? judge(with(body->second, stops[i]))
                                                  : judge(with(program->second, stops[i]));
            BOOST_TEST_CONTEXT(cells[1] << "; " << stops[i])
            BOOST_TEST(word_for(how) == cells[i]);
            ++compared;
        }
    }
    BOOST_TEST(compared == 32U);
}

BOOST_AUTO_TEST_CASE(whoever_was_shown_the_stop_and_kept_the_result_has_succeeded)
{
    body_end const end{.shown = true, .kept = true, .told = true, .closed = true};
    BOOST_TEST((judge(end) == job_byte::succeeded_late));
}

BOOST_AUTO_TEST_CASE(a_job_that_was_stopped_alone_is_late)
{
    BOOST_TEST((judge(body_end{.told = true}) == job_byte::succeeded_late));
}

BOOST_AUTO_TEST_SUITE_END()
