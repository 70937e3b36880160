#include "types/server_settings.hpp"

#include <boost/test/unit_test.hpp>

#include <stdexcept>
#include <string>
#include <vector>

using namespace belay::http;

namespace {

std::string fault_of(std::string const& toml)
{
    try {
        (void)read_server_settings(toml, "f.toml");
    } catch (std::runtime_error const& fault) {
        return fault.what();
    }
    return {};
}

using texts = std::vector<std::string>;

} // namespace

BOOST_AUTO_TEST_SUITE(server_settings_test)

BOOST_AUTO_TEST_CASE(keys_are_options)
{
    auto const found = read_server_settings("[serve]\n"
                                            "connections_max = 64\n"
                                            "keep = \"30d\"\n"
                                            "in_memory = true\n"
                                            "allowed_host = [\"a\", \"b\"]\n"
                                            "[type.x]\n"
                                            "command = 5\n",
                                            "f.toml");
    BOOST_TEST_REQUIRE(found.size() == 4U);
    auto const check = [&](std::size_t line, std::string const& name, texts const& values) {
        for (auto const& each : found)
            if (each.name == name) {
                BOOST_TEST(each.line == line);
                BOOST_TEST(each.values == values);
                return;
            }
        BOOST_ERROR("there is no " + name);
    };
    check(2, "connections-max", {"64"});
    check(3, "keep", {"30d"});
    check(4, "in-memory", {"true"});
    check(5, "allowed-host", {"a", "b"});
}

BOOST_AUTO_TEST_CASE(there_may_be_none)
{
    BOOST_TEST(read_server_settings("", "f").empty());
    BOOST_TEST(read_server_settings("[type.x]\n", "f").empty());
    BOOST_TEST(read_server_settings("[serve]\n", "f").empty());
}

BOOST_AUTO_TEST_CASE(what_no_option_can_be_is_a_fault)
{
    BOOST_TEST(fault_of("serve = 5\n").starts_with("f.toml:1: serve must be a table"));
    BOOST_TEST(fault_of("[serve]\nkeep = 1.5\n").starts_with("f.toml:2: keep must be a string"));
    BOOST_TEST(fault_of("[serve]\na = [1, [2]]\n").starts_with("f.toml:2: a must be a string"));
    BOOST_TEST(fault_of("[serve]\na = []\n") == "f.toml:2: a is an empty list");
    BOOST_TEST(fault_of("[serve]\na_b = 1\na-b = 2\n") == "f.toml:3: a-b is there twice");
    BOOST_TEST(fault_of("[serve\n").starts_with("f.toml:1: "));
}

BOOST_AUTO_TEST_SUITE_END()
