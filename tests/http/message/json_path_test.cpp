#include "message/json_path.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace belay::http;
using key_check = json_path::key_check;

BOOST_AUTO_TEST_SUITE(json_path_test)

BOOST_AUTO_TEST_CASE(the_path_follows_the_parser)
{
    json_path path;
    BOOST_TEST(path.text() == "");

    path.value();
    path.open_object();
    BOOST_TEST(path.text() == "");
    BOOST_TEST((path.key("inputs") == key_check::good));
    path.value();
    path.open_array();
    BOOST_TEST(path.text() == "inputs");
    path.value();
    path.value();
    path.open_object();
    BOOST_TEST((path.key("ms") == key_check::good));
    BOOST_TEST(path.text() == "inputs[1].ms");
    BOOST_TEST(path.depth() == 3U);
}

BOOST_AUTO_TEST_CASE(closing_goes_back_to_where_the_parent_was)
{
    json_path path;
    path.open_object();
    (void)path.key("a");
    path.value();
    path.open_object();
    (void)path.key("x");
    (void)path.key("y");

    path.close();

    BOOST_TEST(path.name() == "a");
    BOOST_TEST(path.text() == "a");
    BOOST_TEST(path.count() == 1U);
    BOOST_TEST((path.key("x") == key_check::good));
    BOOST_TEST(path.count() == 2U);
}

BOOST_AUTO_TEST_CASE(elements_and_keys_are_counted)
{
    json_path path;
    path.open_array();
    BOOST_TEST(path.in_array());
    BOOST_TEST(path.count() == 0U);
    path.value();
    path.value();
    BOOST_TEST(path.count() == 2U);

    path.open_object();
    BOOST_TEST(!path.in_array());
    BOOST_TEST(path.count() == 0U);
    (void)path.key("a");
    BOOST_TEST(path.count() == 1U);
}

BOOST_AUTO_TEST_CASE(doubled_keys_are_found_within_one_object_only)
{
    json_path path;
    path.open_object();
    BOOST_TEST((path.key("a") == key_check::good));
    path.open_object();
    BOOST_TEST((path.key("a") == key_check::good));
    BOOST_TEST((path.key("ab") == key_check::good));
    BOOST_TEST((path.key("") == key_check::good));
    BOOST_TEST((path.key("ab") == key_check::doubled));
    path.close();
    BOOST_TEST((path.key("a") == key_check::doubled));
}

BOOST_AUTO_TEST_CASE(members_are_bounded)
{
    json_path path;
    path.open_object();
    for (std::size_t index = 0; index < json_path::members_max; ++index)
        BOOST_TEST((path.key(std::to_string(index)) == key_check::good));

    BOOST_TEST((path.key("one more") == key_check::too_many));
}

BOOST_AUTO_TEST_CASE(long_names_are_cut)
{
    json_path path;
    path.open_object();

    (void)path.key(std::string(1000, 'k'));

    BOOST_TEST(path.text() == std::string(64, 'k') + "…");
}

BOOST_AUTO_TEST_SUITE_END()
