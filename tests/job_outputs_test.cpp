#include "process/job_outputs.hpp"

#include "temporary_directory.hpp"

#include <belay/error.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <filesystem>
#include <string>
#include <utility>

using namespace belay::test;
using belay::detail::job_outputs;

namespace {

struct fixture {
    temporary_directory directory;
    std::filesystem::path const path = directory.path() / "outputs";
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(job_outputs_test, fixture)

BOOST_AUTO_TEST_CASE(keeping_a_large_output_can_be_given_up_between_its_pieces)
{
    job_outputs outputs(path);
    for (int const given_up_at : {1, 2}) {
        auto draft = outputs.make();
        draft.write(std::string(std::size_t{9} * 1024 * 1024, 'x'));
        int looks = 0;

        BOOST_CHECK_THROW(
            outputs.keep(std::move(draft), {7, 3, 1}, [&] { return ++looks == given_up_at; }),
            belay::stopped);

        BOOST_TEST(looks == given_up_at);
        BOOST_TEST(!outputs.open({7, 3, 1}).has_value());
        BOOST_TEST(std::filesystem::is_empty(path), "nothing is left");
    }
}

BOOST_AUTO_TEST_CASE(what_is_kept_in_one_piece_is_kept_whatever_the_time)
{
    job_outputs outputs(path);
    auto draft = outputs.make();
    draft.write("bytes");

    outputs.keep(std::move(draft), {7, 3, 1}, [] { return true; });

    BOOST_TEST(outputs.open({7, 3, 1}).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
