#include "store/files/job_outputs.hpp"

#include "noted_syncs.hpp"
#include "temporary_directory.hpp"

#include <belay/error.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

using namespace belay::test;
using belay::detail::job_outputs;

namespace {

struct fixture {
    temporary_directory directory;
    std::filesystem::path const path = directory.path() / "outputs";

    static void keep(job_outputs& outputs, std::uint64_t sequence, std::uint64_t index)
    {
        auto draft = outputs.make();
        draft.write("bytes");
        outputs.keep(draft, {sequence, index, 1});
    }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(job_outputs_test, fixture)

BOOST_AUTO_TEST_CASE(keeping_a_large_output_can_be_given_up_between_its_pieces)
{
    job_outputs outputs(path);
    for (int const given_up_at : {1, 2}) {
        int looks = 0;
        {
            auto draft = outputs.make();
            draft.write(std::string(std::size_t{9} * 1024 * 1024, 'x'));

            BOOST_CHECK_THROW(
                outputs.keep(draft, {7, 3, 1}, [&] { return ++looks == given_up_at; }),
                belay::stopped);
        }
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

    outputs.keep(draft, {7, 3, 1}, [] { return true; });

    BOOST_TEST(outputs.open({7, 3, 1}).has_value());
}

BOOST_AUTO_TEST_CASE(an_output_that_was_kept_is_found_after_a_power_failure)
{
    job_outputs outputs(path);
    noted_syncs const synced;

    keep(outputs, 7, 3);

    BOOST_TEST(synced.has(path / "7"), "the folder of the batch");
    BOOST_TEST(synced.has(path), "the directory of outputs");
    BOOST_TEST(synced.has(directory.path()), "the directory that it was made in");
}

BOOST_AUTO_TEST_CASE(names_that_are_on_disk_are_not_synced_again)
{
    job_outputs outputs(path);
    keep(outputs, 7, 3);
    noted_syncs const synced;

    keep(outputs, 7, 4);

    BOOST_TEST(synced.has(path / "7"));
    BOOST_TEST(!synced.has(path));
    BOOST_TEST(!synced.has(directory.path()));

    keep(outputs, 8, 0);

    BOOST_TEST(synced.has(path), "there is a new folder in it");
    BOOST_TEST(!synced.has(directory.path()));
}

/// It may have ended between making them and syncing them.
BOOST_AUTO_TEST_CASE(names_that_an_earlier_process_made_are_synced_once)
{
    std::filesystem::create_directories(path / "7");
    job_outputs outputs(path);
    noted_syncs const synced;

    keep(outputs, 7, 3);

    BOOST_TEST(synced.has(path));
    BOOST_TEST(synced.has(directory.path()));
}

BOOST_AUTO_TEST_SUITE_END()
