#include "store/files/disk_reserve.hpp"

#include "temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <filesystem>
#include <string>

using belay::disk_reserve;

namespace {

constexpr std::uint64_t mib = 1024 * 1024;
constexpr std::uint64_t more_than_any_disk = std::uint64_t{1} << 60;

} // namespace

BOOST_AUTO_TEST_SUITE(disk_reserve_test)

BOOST_AUTO_TEST_CASE(it_is_taken_where_there_is_room_and_given_up_bit_by_bit)
{
    belay::test::temporary_directory const directory;
    disk_reserve reserve(directory.path() / "reserve", mib);
    BOOST_TEST(reserve.left() == 0U);
    reserve.restore();
    BOOST_TEST(reserve.left() == mib);

    std::uint64_t left = mib;
    while (reserve.give_up_some()) {
        BOOST_TEST(reserve.left() < left);
        left = reserve.left();
        BOOST_TEST(std::filesystem::file_size(directory.path() / "reserve") == left);
    }
    BOOST_TEST(left == 0U);

    reserve.restore();
    BOOST_TEST(reserve.left() == mib);
}

BOOST_AUTO_TEST_CASE(room_is_made_from_it_where_the_disk_has_too_little)
{
    belay::test::temporary_directory const directory;
    disk_reserve reserve(directory.path() / "reserve", mib);
    BOOST_TEST(reserve.left() == 0U);
    reserve.restore();

    reserve.make_room(1);
    BOOST_TEST(reserve.left() == mib);
    BOOST_TEST(!reserve.is_given_up());

    reserve.make_room(more_than_any_disk);
    BOOST_TEST(reserve.left() == 0U);
    BOOST_TEST(std::filesystem::file_size(directory.path() / "reserve") == 0U);
}

BOOST_AUTO_TEST_CASE(what_an_earlier_process_had_not_given_up_is_there_on_a_full_disk)
{
    belay::test::temporary_directory const directory;
    directory.write("reserve", std::string(mib, 'x'));

    disk_reserve reserve(directory.path() / "reserve", more_than_any_disk);
    BOOST_TEST(reserve.left() == mib);
    reserve.restore();

    BOOST_TEST(reserve.left() == mib);
    BOOST_TEST(reserve.give_up_some());
}

BOOST_AUTO_TEST_CASE(one_that_is_to_be_smaller_now_is_cut)
{
    belay::test::temporary_directory const directory;
    directory.write("reserve", std::string(2 * mib, 'x'));

    disk_reserve reserve(directory.path() / "reserve", mib);
    reserve.restore();

    BOOST_TEST(reserve.left() == mib);
    BOOST_TEST(std::filesystem::file_size(directory.path() / "reserve") == mib);
}

BOOST_AUTO_TEST_CASE(without_room_there_is_none)
{
    belay::test::temporary_directory const directory;

    disk_reserve reserve(directory.path() / "reserve", more_than_any_disk);
    reserve.restore();

    BOOST_TEST(reserve.left() == 0U);
    BOOST_TEST(!reserve.give_up_some());
}

BOOST_AUTO_TEST_SUITE_END()
