#include "server/client_address.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace {

using boost::asio::ip::make_address;

std::string client(std::string_view peer, std::string_view forwarded_for)
{
    std::vector const trusted{make_address("127.0.0.1"), make_address("10.0.0.1"),
                              make_address("::1")};
    return belay::http::client_address(make_address(std::string(peer)), forwarded_for, trusted)
        .to_string();
}

} // namespace

BOOST_AUTO_TEST_SUITE(client_address_test)

BOOST_AUTO_TEST_CASE(a_peer_is_the_client_unless_it_is_a_trusted_proxy)
{
    BOOST_TEST(client("192.0.2.1", "") == "192.0.2.1");
    BOOST_TEST(client("192.0.2.1", "198.51.100.7") == "192.0.2.1");
    BOOST_TEST(client("127.0.0.1", "") == "127.0.0.1");
}

BOOST_AUTO_TEST_CASE(a_trusted_proxy_names_the_client)
{
    BOOST_TEST(client("127.0.0.1", "198.51.100.7") == "198.51.100.7");
    BOOST_TEST(client("::1", "2001:db8::1") == "2001:db8::1");
    BOOST_TEST(client("::ffff:127.0.0.1", " 198.51.100.7 ") == "198.51.100.7");
}

BOOST_AUTO_TEST_CASE(what_a_client_wrote_itself_is_not_believed)
{
    BOOST_TEST(client("127.0.0.1", "203.0.113.9, 198.51.100.7") == "198.51.100.7");
    BOOST_TEST(client("127.0.0.1", "203.0.113.9, 198.51.100.7, 10.0.0.1") == "198.51.100.7");
    BOOST_TEST(client("127.0.0.1", "127.0.0.1, 198.51.100.7,10.0.0.1") == "198.51.100.7");
}

BOOST_AUTO_TEST_CASE(what_is_no_address_leaves_the_proxy_that_passed_it_on)
{
    BOOST_TEST(client("127.0.0.1", "unknown") == "127.0.0.1");
    BOOST_TEST(client("127.0.0.1", "198.51.100.7, _hidden, 10.0.0.1") == "10.0.0.1");
    BOOST_TEST(client("127.0.0.1", "198.51.100.7,") == "127.0.0.1");
    BOOST_TEST(client("127.0.0.1", ", ,") == "127.0.0.1");
}

BOOST_AUTO_TEST_CASE(a_client_has_a_network_of_64_bits_in_ipv6)
{
    using belay::http::network_of;
    BOOST_TEST(network_of(make_address("192.0.2.1")) == "192.0.2.1");
    BOOST_TEST(network_of(make_address("2001:db8::1:2:3:4")) ==
               network_of(make_address("2001:db8::ffff")));
    BOOST_TEST(network_of(make_address("2001:db8::1")) !=
               network_of(make_address("2001:db8:0:1::1")));
}

BOOST_AUTO_TEST_SUITE_END()
