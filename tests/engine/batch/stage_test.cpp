// Each stage of a batch meets each event; the table in docs/design.md says what comes of it.
#include "batch/stage.hpp"

#include "document.hpp"

#include <boost/test/unit_test.hpp>

#include <set>
#include <string>
#include <string_view>
#include <vector>

using belay::detail::all_batch_events;
using belay::detail::all_stages;
using belay::detail::batch_event;
using belay::detail::next;
using belay::detail::stage;
using belay::test::section;

namespace {

/// The table as the document has it: a line for each event, a column for each stage.
std::vector<std::string> table()
{
    std::string head = "| |";
    std::string rule = "|---|";
    for (auto const from : all_stages) {
        head.append(" ").append(to_string(from)).append(" |");
        rule += "---|";
    }
    std::vector<std::string> lines{head, rule};
    for (auto const event : all_batch_events) {
        std::string line = "| `" + std::string(to_string(event)) + "` |";
        for (auto const from : all_stages) {
            auto const to = next(from, event);
            line.append(" ").append(!to ? "never" : *to == from ? "=" : to_string(*to)).append(" |");
        }
        lines.push_back(line);
    }
    return lines;
}

std::vector<std::string> table_in_document()
{
    std::vector<std::string> lines;
    for (auto const& line : section("The stages of a batch"))
        if (line.starts_with("| |") || (!lines.empty() && line.starts_with('|')))
            lines.push_back(line);
    return lines;
}

std::set<stage> reached_from(stage first)
{
    std::set<stage> reached{first};
    for (std::size_t before = 0; before != reached.size();) {
        before = reached.size();
        for (auto const from : std::set(reached))
            for (auto const event : all_batch_events)
                if (auto const to = next(from, event))
                    reached.insert(*to);
    }
    return reached;
}

} // namespace

BOOST_AUTO_TEST_SUITE(stage_test)

BOOST_AUTO_TEST_CASE(the_document_has_what_comes_of_each_event_at_each_stage)
{
    auto const code = table();
    auto const document = table_in_document();

    BOOST_TEST(document == code, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(all_stages_are_reached_and_none_follows_an_end)
{
    BOOST_TEST(reached_from(stage::unopened).size() == all_stages.size());
    BOOST_TEST(reached_from(stage::ended).size() == 1U);
    BOOST_TEST(reached_from(stage::left).size() == 1U);
}

BOOST_AUTO_TEST_CASE(G1_nothing_may_start_again_once_a_cancel_has_taken_effect)
{
    for (auto const from : {stage::closing, stage::ending, stage::outdated, stage::leaving})
        BOOST_TEST(!reached_from(from).contains(stage::open));
}

BOOST_AUTO_TEST_CASE(a_batch_ends_from_wherever_it_stands)
{
    for (auto const from : all_stages) {
        auto const reached = reached_from(from);
        BOOST_TEST((reached.contains(stage::ended) || reached.contains(stage::left)),
                   to_string(from));
    }
}

BOOST_AUTO_TEST_SUITE_END()
