#include <belay/cancel.hpp>
#include <belay/error.hpp>
#include <belay/state.hpp>

#include <boost/test/unit_test.hpp>

#include <string_view>
#include <utility>
#include <vector>

using namespace belay;

// A word is compared as it stands in the specification, not with what the code would say of it.
namespace {

std::vector<std::pair<batch_state, std::string_view>> const batch_words{
    {batch_state::created, "created"},       {batch_state::running, "running"},
    {batch_state::cancelling, "cancelling"}, {batch_state::completed, "completed"},
    {batch_state::failed, "failed"},         {batch_state::cancelled, "cancelled"},
    {batch_state::expired, "expired"}};

std::vector<std::pair<job_state, std::string_view>> const job_words{
    {job_state::pending, "pending"},
    {job_state::running, "running"},
    {job_state::succeeded, "succeeded"},
    {job_state::failed, "failed"},
    {job_state::cancelled, "cancelled"}};

} // namespace

BOOST_AUTO_TEST_SUITE(state_test)

BOOST_AUTO_TEST_CASE(batch_states_have_one_word_each)
{
    for (auto const& [state, word] : batch_words) {
        BOOST_TEST(to_string(state) == word);
        BOOST_TEST((parse_batch_state(word) == state), word);
    }
}

BOOST_AUTO_TEST_CASE(job_states_have_one_word_each)
{
    for (auto const& [state, word] : job_words) {
        BOOST_TEST(to_string(state) == word);
        BOOST_TEST((parse_job_state(word) == state), word);
    }
}

BOOST_AUTO_TEST_CASE(the_other_spelling_is_accepted)
{
    BOOST_TEST((parse_batch_state("canceled") == batch_state::cancelled));
    BOOST_TEST((parse_batch_state("canceling") == batch_state::cancelling));
    BOOST_TEST((parse_job_state("canceled") == job_state::cancelled));
}

BOOST_AUTO_TEST_CASE(other_words_are_no_state)
{
    for (std::string_view const word :
         {"", " ", "Cancelled", "CANCELLED", "cancelled ", "cancel", "canceledd", "done", "none"}) {
        BOOST_TEST(!parse_batch_state(word), word);
        BOOST_TEST(!parse_job_state(word), word);
        BOOST_TEST(!parse_cancel_mode(word), word);
    }
    for (std::string_view const word : {"pending", "succeeded"})
        BOOST_TEST(!parse_batch_state(word), word);
    for (std::string_view const word : {"created", "cancelling", "canceling", "expired"})
        BOOST_TEST(!parse_job_state(word), word);
}

BOOST_AUTO_TEST_CASE(the_terminal_states_are_the_last_four)
{
    for (auto const state : {batch_state::completed, batch_state::failed, batch_state::cancelled,
                             batch_state::expired})
        BOOST_TEST(is_terminal(state), to_string(state));

    for (auto const state : {batch_state::created, batch_state::running, batch_state::cancelling})
        BOOST_TEST(!is_terminal(state), to_string(state));
}

BOOST_AUTO_TEST_CASE(a_job_has_ended_in_three_states)
{
    for (auto const state : {job_state::succeeded, job_state::failed, job_state::cancelled})
        BOOST_TEST(is_ended(state), to_string(state));

    for (auto const state : {job_state::pending, job_state::running})
        BOOST_TEST(!is_ended(state), to_string(state));
}

BOOST_AUTO_TEST_CASE(dispositions_causes_modes_and_failures_have_their_words)
{
    BOOST_TEST(to_string(disposition::none) == "none");
    BOOST_TEST(to_string(disposition::not_started) == "not_started");
    BOOST_TEST(to_string(disposition::stopped) == "stopped");
    BOOST_TEST(to_string(disposition::terminated) == "terminated");
    BOOST_TEST(to_string(disposition::killed) == "killed");
    BOOST_TEST(to_string(disposition::abandoned) == "abandoned");
    BOOST_TEST(to_string(disposition::lost) == "lost");

    BOOST_TEST(to_string(stop_cause::none) == "none");
    BOOST_TEST(to_string(stop_cause::user) == "user");
    BOOST_TEST(to_string(stop_cause::token) == "token");
    BOOST_TEST(to_string(stop_cause::deadline) == "deadline");
    BOOST_TEST(to_string(stop_cause::fail_fast) == "fail_fast");
    BOOST_TEST(to_string(stop_cause::backend) == "backend");
    BOOST_TEST(to_string(stop_cause::shutdown) == "shutdown");

    BOOST_TEST(to_string(failure::failed) == "failed");
    BOOST_TEST(to_string(failure::input) == "input");
    BOOST_TEST(to_string(failure::stopped) == "stopped");
}

BOOST_AUTO_TEST_CASE(modes_have_one_word_each_and_are_ordered_by_strength)
{
    for (auto const& [mode, word] : {std::pair{cancel_mode::drain, std::string_view("drain")},
                                     {cancel_mode::graceful, "graceful"},
                                     {cancel_mode::immediate, "immediate"}}) {
        BOOST_TEST(to_string(mode) == word);
        BOOST_TEST((parse_cancel_mode(word) == mode), word);
    }

    BOOST_TEST((cancel_mode::drain < cancel_mode::graceful));
    BOOST_TEST((cancel_mode::graceful < cancel_mode::immediate));
}

BOOST_AUTO_TEST_CASE(errors_say_which_library_they_are_of)
{
    error const thrown(errc::unknown_type, "there is no job type 'x'");

    BOOST_TEST(thrown.code() == make_error_code(errc::unknown_type));
    BOOST_TEST(thrown.what() == std::string_view("there is no job type 'x'"));
    BOOST_TEST(error_category().name() == std::string_view("belay"));
    for (int value = 1; value <= static_cast<int>(errc::shutting_down); ++value)
        BOOST_TEST(error_category().message(value) != "unknown error", value);
    BOOST_TEST(error_category().message(0) == "unknown error");
}

BOOST_AUTO_TEST_SUITE_END()
