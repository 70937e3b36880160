#include "cancelbench/message.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace belay::cancelbench;

namespace {

/// What the exception says that parsing throws.
template <class Parse>
std::string failure(Parse parse)
{
    try {
        (void)parse();
    } catch (wrong_line const& error) {
        return error.what();
    }
    return {};
}

} // namespace

BOOST_AUTO_TEST_SUITE(message_test)

BOOST_AUTO_TEST_CASE(a_request_comes_back_as_it_went)
{
    request const sent{.script = "cancel",
                       .jobs = 1'000'000,
                       .workers = 2,
                       .running = 1,
                       .body = "sleep",
                       .body_ns = 50'000,
                       .poll_ns = 1'000,
                       .pause_ns = 7,
                       .warm = true,
                       .ledger = "/a/ledger",
                       .directory = "/a/data",
                       .command = {"/bin/sh", "a \"b\"", "{}"}};

    auto const read = parse_request(to_line(sent));

    BOOST_TEST(to_line(sent).find('\n') == std::string::npos);
    BOOST_TEST(to_line(read) == to_line(sent));
    BOOST_TEST(read.command.at(1) == "a \"b\"");
}

BOOST_AUTO_TEST_CASE(what_a_peer_can_not_say_is_left_out)
{
    answer const sent{.called = 1, .returned = 2, .told = account{1, 2, 3}, .cancelled = false};

    auto const read = parse_answer(to_line(sent));

    BOOST_TEST(to_line(sent) ==
               R"({"called":1,"returned":2,"told":{"finished":1,"interrupted":2,"never_started":3},"cancelled":false})");
    BOOST_TEST(!read.seen.has_value());
    BOOST_TEST((read.told == account{1, 2, 3}));
    BOOST_TEST((read.cancelled == false));
}

BOOST_AUTO_TEST_CASE(an_error_is_a_refusal_with_its_text)
{
    BOOST_CHECK_EXCEPTION((void)parse_answer(error_line("no \"such\" body")), refused,
                          [](refused const& error) {
                              return error.what() == std::string("no \"such\" body");
                          });
}

BOOST_AUTO_TEST_CASE(a_wrong_line_is_named)
{
    auto const of_peer = [](char const* line) {
        return failure([&] { return parse_introduction(line); });
    };
    auto const of_answer = [](char const* line) {
        return failure([&] { return parse_answer(line); });
    };

    BOOST_TEST(of_peer("hello") == "a JSON object is wanted, but the line is: hello");
    BOOST_TEST(of_peer("{}") == "the member 'cancelbench' is missing");
    BOOST_TEST(of_peer(R"({"cancelbench":2})") == "cancelbench 1 is wanted, not 2");
    BOOST_TEST(of_peer(R"({"cancelbench":1,"peer":"x","version":"1","scripts":"cancel"})") ==
               "the member 'scripts' should be a list of texts");
    BOOST_TEST(of_answer(R"({"called":"1"})") == "the member 'called' should be a whole number");
    BOOST_TEST(of_answer(R"({"called":1.5})") == "the member 'called' should be a whole number");
    BOOST_TEST(of_answer(R"({"told":{"finished":-1,"interrupted":0,"never_started":0}})") ==
               "the member 'finished' should be a whole number");
    BOOST_TEST(of_answer(R"({"told":{"finished":1}})") == "the member 'interrupted' is missing");
}

BOOST_AUTO_TEST_CASE(a_peer_need_not_say_how_many_jobs_it_can_be_given)
{
    auto const read = parse_introduction(
        R"({"cancelbench":1,"peer":"x","version":"1","scripts":["cancel"],"new":[]})");

    BOOST_TEST(read.bodies.empty());
    BOOST_TEST(read.jobs_max == UINT64_MAX);
}

BOOST_AUTO_TEST_SUITE_END()
