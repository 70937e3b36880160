#include "message/door.hpp"

#include "message/text.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>
#include <string_view>

using namespace belay::http;
using namespace std::string_view_literals;

namespace {

std::string header(std::string_view fields, std::string_view version = "HTTP/1.1")
{
    std::string out = "PUT /v1/batches/batch-1/state?dry_run=true ";
    out += version;
    out += "\r\n";
    out += fields;
    out += "\r\n";
    return out;
}

/// The status, 0 if it is let in.
unsigned status_of(std::string_view raw)
{
    auto const error = inspect_header(raw);
    return error ? error->status : 0;
}

unsigned with(std::string_view fields, std::string_view version = "HTTP/1.1")
{
    return status_of(header(fields, version));
}

} // namespace

BOOST_AUTO_TEST_SUITE(door_test)

BOOST_AUTO_TEST_CASE(ordinary_requests_are_let_in)
{
    BOOST_TEST(with("Host: localhost:8080\r\n") == 0U);
    BOOST_TEST(with("hOST:localhost\r\nX-Api-Key:\t abc \t\r\nAccept:\r\n") == 0U);
    BOOST_TEST(with("Host: [::1]:80\r\nX-Name: caf\xC3\xA9 \xE9\r\n") == 0U);
    BOOST_TEST(with("Host: a\r\nContent-Length: 0\r\n") == 0U);
    BOOST_TEST(with("Host: a\r\nContent-Length: 9223372036854775807\r\n") == 0U);
    BOOST_TEST(with("Host: a\r\nTransfer-Encoding: chunked\r\n") == 0U);
    BOOST_TEST(with("Host: a\r\nTransfer-Encoding:  Chunked \r\n") == 0U);
    BOOST_TEST(with("Host: a\r\n", "HTTP/1.0") == 0U);
    BOOST_TEST(with("Host:\r\n") == 0U);
    BOOST_TEST(with("Host: 10.0.0.1.example:80\r\n") == 0U);
    BOOST_TEST(status_of("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n") == 0U);
}

BOOST_AUTO_TEST_CASE(there_must_be_exactly_one_host)
{
    BOOST_TEST(with("") == 400U);
    BOOST_TEST(with("", "HTTP/1.0") == 400U);
    BOOST_TEST(with("Hos: a\r\nHostt: a\r\n") == 400U);
    BOOST_TEST(with("Host: a\r\nHost: a\r\n") == 400U);
    BOOST_TEST(with("Host: a\r\nAccept: */*\r\nhost: b\r\n") == 400U);
    for (auto const bad :
         {"a, b", "user@a", "a b", "a/b", "a:80x", "[::1", "[::g]", "a:80:90", "%6cocalhost",
          "http://a", ":80", "a,b", "[::1]a", "[]", "[v1.a]", "::1"})
        BOOST_TEST(with("Host: " + std::string(bad) + "\r\n") == 400U, bad);
}

BOOST_AUTO_TEST_CASE(a_folded_field_is_refused)
{
    BOOST_TEST(with("Host: a\r\n b\r\n") == 400U);
    BOOST_TEST(with("Host: a\r\n\tb\r\n") == 400U);
    BOOST_TEST(with("Host: a\r\n \r\n") == 400U);
    BOOST_TEST(with(" Host: a\r\nHost: a\r\n") == 400U);
    BOOST_TEST(with("Host: a\r\nTransfer-Encoding:\r\n chunked\r\n") == 400U);
}

BOOST_AUTO_TEST_CASE(a_content_length_is_one_number_of_digits_only)
{
    BOOST_TEST(with("Host: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n") == 400U);
    for (auto const bad :
         {"", "1, 1", "+1", "-1", "0x1", "1.0", "1 1", "1e3", "\xD9\xA1", "9223372036854775808",
          "18446744073709551616", "99999999999999999999999999999999999999"})
        BOOST_TEST(with("Host: a\r\nContent-Length: " + std::string(bad) + "\r\n") == 400U, bad);
}

BOOST_AUTO_TEST_CASE(a_transfer_encoding_is_chunked_and_stands_alone)
{
    BOOST_TEST(with("Host: a\r\nTransfer-Encoding: chunked\r\n", "HTTP/1.0") == 400U);
    BOOST_TEST(with("Host: a\r\nTransfer-Encoding: gzip\r\n", "HTTP/1.0") == 400U);
    BOOST_TEST(with("Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n") == 400U);
    BOOST_TEST(with("Host: a\r\nContent-Length: 3\r\nTransfer-Encoding: gzip\r\n") == 400U);

    for (auto const other : {"", "gzip", "identity", "gzip, chunked", "chunked, chunked",
                             "chunked;q=1", "xchunked", "\"chunked\"", "chunked,"})
        BOOST_TEST(with("Host: a\r\nTransfer-Encoding: " + std::string(other) + "\r\n") == 501U,
                   other);
    BOOST_TEST(with("Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n") ==
               501U);
}

BOOST_AUTO_TEST_CASE(control_bytes_are_refused_wherever_they_stand)
{
    for (unsigned byte = 0; byte < 0x20; ++byte) {
        auto const c = static_cast<char>(byte);
        BOOST_TEST(with("Host: a\r\nX: 1" + std::string(1, c) + "2\r\n") == (c == '\t' ? 0U : 400U),
                   byte);
        BOOST_TEST(with("Host: a\r\nX" + std::string(1, c) + ": 1\r\n") == 400U, byte);
        BOOST_TEST(status_of("GET /" + std::string(1, c) + " HTTP/1.1\r\nHost: a\r\n\r\n") == 400U,
                   byte);
    }
    BOOST_TEST(with("Host: a\r\nX: \x7f\r\n") == 400U);
    BOOST_TEST(with("Host: a\nX: 1\r\n") == 400U);
    BOOST_TEST(with("Host: a\rX: 1\r\n") == 400U);
    BOOST_TEST(with("Host: a\r\r\n") == 400U);
}

BOOST_AUTO_TEST_CASE(field_names_are_tokens)
{
    for (auto const bad :
         {"X : 1", "X\t: 1", ": 1", "X", "X(1): 1", "X\xC3\xA9: 1", "X Y: 1", "Host : b"})
        BOOST_TEST(with("Host: a\r\n" + std::string(bad) + "\r\n") == 400U, bad);
}

BOOST_AUTO_TEST_CASE(the_request_line_has_three_words)
{
    for (auto const bad :
         {""sv, "GET"sv, "GET /"sv, "GET  / HTTP/1.1"sv, "GET /  HTTP/1.1"sv, " GET / HTTP/1.1"sv,
          "GET / HTTP/1.1 "sv, "GET / HTTP/1.2"sv, "GET / HTTP/2.0"sv, "GET / http/1.1"sv,
          "GET /a b HTTP/1.1"sv, "G(T / HTTP/1.1"sv, "GET /\xC3\xA9 HTTP/1.1"sv,
          "GET\t/ HTTP/1.1"sv, "GET / HTTP/1.1\0"sv})
        BOOST_TEST(status_of(std::string(bad) + "\r\nHost: a\r\n\r\n") == 400U, shown(bad));
}

BOOST_AUTO_TEST_CASE(the_header_ends_with_its_only_empty_line)
{
    BOOST_TEST(status_of("") == 400U);
    BOOST_TEST(status_of("GET / HTTP/1.1\r\nHost: a\r\n") == 400U);
    BOOST_TEST(status_of("GET / HTTP/1.1\r\nHost: a\r\n\r") == 400U);
    BOOST_TEST(status_of("GET / HTTP/1.1\r\nHost: a\r\n\r\nX: 1\r\n\r\n") == 400U);
    BOOST_TEST(status_of("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n") == 400U);
}

BOOST_AUTO_TEST_CASE(loopback_hosts_are_known_by_all_their_names)
{
    for (auto const good :
         {"localhost", "LOCALHOST", "localhost:8080", "localhost:", "localhost.", "localhost.:1",
          "127.0.0.1", "127.0.0.1:41234", "127.255.255.254", "127.0.0.1.", "[::1]", "[::1]:8080",
          "[0:0:0:0:0:0:0:1]", "[0:0:0:0:0:0:0.0.0.1]"})
        BOOST_TEST(is_loopback_host(good, "127.0.0.1"), good);
}

BOOST_AUTO_TEST_CASE(other_hosts_are_foreign_on_loopback)
{
    for (auto const bad : {"",
                           ".",
                           "..",
                           "localhost..",
                           "example.com",
                           "localhost.example.com",
                           "127.0.0.1.nip.io",
                           "128.0.0.1",
                           "126.255.255.255",
                           "0.0.0.0",
                           "127.1",
                           "2130706433",
                           "0x7f.0.0.1",
                           "127.0.0.01",
                           "0177.0.0.1",
                           "[::]",
                           "[::2]",
                           "[::ffff:127.0.0.1]",
                           "[::1",
                           "::1",
                           "[::1%25lo]",
                           "[v1.a]",
                           "localhost, evil",
                           "evil@localhost",
                           "localhost@evil",
                           "localhost/evil",
                           "local%68ost",
                           " localhost",
                           "localhost:80x",
                           "http://localhost"})
        BOOST_TEST(!is_loopback_host(bad, "127.0.0.1"), bad);
    BOOST_TEST(!is_loopback_host("localhost\0.evil"sv, "127.0.0.1"));
    BOOST_TEST(!is_loopback_host("", ""));
}

BOOST_AUTO_TEST_CASE(the_address_listened_on_is_accepted)
{
    BOOST_TEST(is_loopback_host("Belay.Internal:80", "belay.internal"));
    BOOST_TEST(is_loopback_host("[FE80:0::1]:80", "fe80::1"));
    BOOST_TEST(is_loopback_host("[fe80::1]", "[fe80::1]"));
    BOOST_TEST(!is_loopback_host("[fe80::2]", "fe80::1"));
    BOOST_TEST(!is_loopback_host("belay.external", "belay.internal"));
}

BOOST_AUTO_TEST_CASE(further_hosts_have_names)
{
    std::vector<std::string> const names{"batches.example.com", "Other"};
    for (auto const host : {"batches.example.com", "BATCHES.example.com.:443", "other", "OTHER:1"})
        BOOST_TEST(is_host_among(host, names), host);
    for (auto const host : {"", "example.com", "x.batches.example.com", "batches.example.com.evil",
                            "other other", "other/", "u@other", "[::1]"})
        BOOST_TEST(!is_host_among(host, names), host);
}

BOOST_AUTO_TEST_SUITE_END()
