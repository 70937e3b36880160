// As its library has it: Beast's parser comes from its headers.
#undef BOOST_BEAST_SEPARATE_COMPILATION

#include "server/request_reader.hpp"

#include "message/door.hpp"
#include "request_feed.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/test/unit_test.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using belay::http::after;
using belay::http::api_error;
using belay::http::bytes_of;
using belay::http::input_buffer;
using belay::http::request_reader;
using belay::test::any_size;
using belay::test::header_bytes_max;
using feed = belay::test::request_feed;
using outcome = belay::test::request_outcome;

namespace {

outcome whole(std::string_view text, std::uint64_t body_bytes_max = any_size)
{
    return feed({text}, 16, body_bytes_max).read();
}

/// Also where it comes in two parts, whichever they are, and byte by byte.
void check_splits(std::string_view text, outcome const& wanted,
                  std::uint64_t body_bytes_max = any_size)
{
    BOOST_TEST(whole(text, body_bytes_max) == wanted);
    std::vector<std::string_view> bytes;
    for (std::size_t i = 0; i != text.size(); ++i) {
        BOOST_TEST_INFO("split at " << i);
        BOOST_TEST(feed({text.substr(0, i), text.substr(i)}, 16, body_bytes_max).read() == wanted);
        bytes.push_back(text.substr(i, 1));
    }
    BOOST_TEST(feed(bytes, 16, body_bytes_max).read() == wanted);
    BOOST_TEST(feed(bytes, 1, body_bytes_max).read() == wanted);
}

std::string get_of(std::size_t bytes)
{
    std::string text = "GET / HTTP/1.1\r\nHost: h\r\nX: ";
    text.append(bytes - text.size() - 4, 'x');
    return text + "\r\n\r\n";
}

std::string chunked(std::string_view rest)
{
    std::string text = "POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    return text.append(rest);
}

} // namespace

BOOST_AUTO_TEST_CASE(a_request_without_a_body_may_be_split_anywhere)
{
    check_splits("GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n",
                 {.method = "GET", .target = "/a?b", .is_done = true, .after_answer = after::keep});
}

BOOST_AUTO_TEST_CASE(a_body_of_known_length_may_be_split_anywhere)
{
    check_splits("PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 20\r\n\r\n01234567890123456789",
                 {.method = "PUT",
                  .target = "/a",
                  .body = "01234567890123456789",
                  .is_done = true,
                  .after_answer = after::keep});
}

BOOST_AUTO_TEST_CASE(a_chunked_body_may_be_split_anywhere)
{
    check_splits(chunked("5;extension=1\r\nabcde\r\n011\r\n0123456789abcdefg\r\n0\r\nT: v\r\n\r\n"),
                 {.method = "POST",
                  .target = "/b",
                  .body = "abcde0123456789abcdefg",
                  .is_done = true,
                  .after_answer = after::keep});
}

BOOST_AUTO_TEST_CASE(a_body_of_no_chunk_but_the_last_may_be_split_anywhere)
{
    for (std::string const& text : {chunked("0\r\n\r\n"), chunked("0\r\nT: v\r\n\r\n")})
        check_splits(
            text, {.method = "POST", .target = "/b", .is_done = true, .after_answer = after::keep});
}

BOOST_AUTO_TEST_CASE(what_follows_a_request_is_left_for_the_next)
{
    for (std::string const& request :
         {std::string("GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"),
          std::string("PUT /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"),
          chunked("3\r\nabc\r\n0\r\n\r\n")}) {
        auto const text = request + "GET /2 HTTP";
        auto const got = whole(text);
        BOOST_TEST(got.is_done);
        BOOST_TEST(got.left == "GET /2 HTTP");
    }
}

BOOST_AUTO_TEST_CASE(empty_lines_before_a_request_are_ignored)
{
    check_splits("\r\n\r\n\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n",
                 {.method = "GET", .target = "/a", .is_done = true, .after_answer = after::keep});
}

BOOST_AUTO_TEST_CASE(a_request_that_is_not_over_needs_more)
{
    std::string_view const text = "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nabcd";
    for (std::size_t i = 0; i != text.size(); ++i) {
        auto const got = whole(text.substr(0, i));
        BOOST_TEST(got.refused == 0U);
        BOOST_TEST(!got.is_done);
        BOOST_TEST((got.after_answer == after::linger));
    }
}

BOOST_AUTO_TEST_CASE(a_header_may_have_so_many_bytes)
{
    BOOST_TEST(whole(get_of(header_bytes_max)).is_done);
    BOOST_TEST(whole(get_of(header_bytes_max + 1)).refused == 431U);
    // Those of empty lines count.
    BOOST_TEST(whole("\r\n" + get_of(header_bytes_max - 2)).is_done);
    BOOST_TEST(whole("\r\n" + get_of(header_bytes_max - 1)).refused == 431U);
    std::string lines;
    while (lines.size() <= header_bytes_max)
        lines += "\r\n";
    BOOST_TEST(whole(lines).refused == 431U);
    // It is refused without its end, too.
    auto const text = get_of(header_bytes_max + 10);
    BOOST_TEST(whole(std::string_view(text).substr(0, header_bytes_max)).refused == 0U);
    BOOST_TEST(whole(std::string_view(text).substr(0, header_bytes_max + 1)).refused == 431U);
}

BOOST_AUTO_TEST_CASE(a_header_may_have_so_many_fields)
{
    auto const with_fields = [](std::size_t fields) {
        std::string text = "GET / HTTP/1.1\r\nHost: h\r\n";
        for (std::size_t i = 1; i != fields; ++i)
            text += "a:\r\n";
        return text + "\r\n";
    };
    BOOST_TEST(whole(with_fields(belay::http::header_fields_max)).is_done);
    BOOST_TEST(whole(with_fields(belay::http::header_fields_max + 1)).refused == 431U);
}

BOOST_AUTO_TEST_CASE(a_line_that_ends_in_lf_alone_is_refused_at_once)
{
    BOOST_TEST(whole("\n").refused == 400U);
    BOOST_TEST(whole("GET / HTTP/1.1\n").refused == 400U);
    BOOST_TEST(feed({"GET / HTTP/1.1", "\n"}).read().refused == 400U);
    BOOST_TEST(feed({"GET / HTTP/1.1\r", "\nHost: h\r\n", "a: b", "\nc"}).read().refused == 400U);
    BOOST_TEST(feed({"GET / HTTP/1.1\r", "\nHost: h\r", "\n"}).read().refused == 0U);
}

BOOST_AUTO_TEST_CASE(what_is_no_request_is_refused_and_its_connection_closed)
{
    for (std::string_view const text :
         {"GET /\r\n\r\n", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
          "GET / HTTP/1.1\r\nHost: h\r\n a: b\r\n\r\n",
          "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
          "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"}) {
        BOOST_TEST_INFO(text);
        auto const got = whole(text);
        BOOST_TEST(got.refused == 400U);
        BOOST_TEST(!got.is_done);
        BOOST_TEST((got.after_answer == after::linger));
    }
    BOOST_TEST(whole("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n").refused ==
               501U);
}

BOOST_AUTO_TEST_CASE(the_header_says_whether_another_request_may_follow)
{
    auto const after_of = [](std::string_view line, std::string_view field) {
        std::string text("GET / HTTP/");
        text.append(line).append("\r\nHost: h\r\n").append(field).append("\r\n");
        return whole(text).after_answer;
    };
    BOOST_TEST((after_of("1.1", "") == after::keep));
    BOOST_TEST((after_of("1.1", "Connection: close\r\n") == after::close));
    BOOST_TEST((after_of("1.0", "") == after::close));
    BOOST_TEST((after_of("1.0", "Connection: keep-alive\r\n") == after::keep));
    BOOST_TEST((whole(chunked("0\r\nConnection: close\r\n\r\n")).after_answer == after::keep));
}

BOOST_AUTO_TEST_CASE(the_header_is_taken_apart)
{
    feed all({"PUT http://Other:80/a HTTP/1.1\r\nHost: h\r\nAuthorization: bearer  secret \r\n"
              "Content-Type: application/json\r\nContent-Length: 3\r\nContent-Encoding: a\r\n"
              "Accept: x\r\nAccept: y\r\nPrefer: p\r\nPrefer: q\r\nIdempotency-Key: k\r\n"
              "Range: bytes=0-\r\nIf-Match: \"m\"\r\nIf-None-Match: \"n\"\r\n"
              "X-Request-Id: mine\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\n"
              "Expect: 100-continue\r\n\r\n"});
    BOOST_TEST(!all.read_header());
    auto const& header = all.reader.header();
    BOOST_TEST(header.version == 11U);
    BOOST_TEST(header.id == "mine");
    BOOST_TEST(header.host == "Other:80");
    BOOST_TEST(header.expectation == "100-continue");
    BOOST_TEST(header.forwarded_for == "1.1.1.1, 2.2.2.2");
    BOOST_TEST(!header.refused);
    auto const& head = header.head;
    BOOST_TEST(head.method == "PUT");
    BOOST_TEST(head.target == "/a");
    BOOST_TEST(head.api_key == "secret");
    BOOST_TEST(head.content_type == "application/json");
    BOOST_TEST(head.content_encoding == "a");
    BOOST_TEST(head.accept == "x, y");
    BOOST_TEST(head.prefer == "p, q");
    BOOST_TEST(head.idempotency_key.value() == "k");
    BOOST_TEST(head.range.empty()); // which only a GET has
    BOOST_TEST(head.if_match.value() == "\"m\"");
    BOOST_TEST(head.if_none_match == "\"n\"");
    BOOST_TEST(head.has_body);
    BOOST_TEST(head.content_length.value() == 3U);
}

BOOST_AUTO_TEST_CASE(what_is_not_said_in_the_header_has_its_default)
{
    feed all({"GET / HTTP/1.0\r\nHost: h\r\nExpect: 100-continue\r\nX-Request-Id: a b\r\n\r\n"});
    BOOST_TEST(!all.read_header());
    auto const& header = all.reader.header();
    BOOST_TEST(header.version == 10U);
    BOOST_TEST(header.id.starts_with("req-"));
    BOOST_TEST(header.host == "h");
    BOOST_TEST(header.expectation.empty());
    BOOST_TEST(!header.head.idempotency_key);
    BOOST_TEST(!header.head.has_body);
    BOOST_TEST(!header.head.content_length);
}

BOOST_AUTO_TEST_CASE(a_target_in_no_known_form_is_refused_but_its_request_has_an_end)
{
    auto const got = whole("GET nothing HTTP/1.1\r\nHost: h\r\n\r\nGET");
    BOOST_TEST(got.refused == 0U);
    BOOST_TEST((got.after_answer == after::keep));
    BOOST_TEST(got.left == "GET");
    feed all({"GET nothing HTTP/1.1\r\nHost: h\r\n\r\n"});
    BOOST_TEST(!all.read_header());
    BOOST_TEST(all.reader.header().refused.value().status == 400U);
}

BOOST_AUTO_TEST_CASE(a_body_may_have_so_many_bytes)
{
    std::string_view const known = "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nabcd";
    BOOST_TEST(whole(known, 4).body == "abcd");
    BOOST_TEST(whole(known, 3).refused == 413U);
    BOOST_TEST(whole(known, 3).body.empty());
    BOOST_TEST((whole(known, 3).after_answer == after::linger));
    auto const in_chunks = chunked("2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n");
    BOOST_TEST(whole(in_chunks, 4).body == "abcd");
    BOOST_TEST(whole(in_chunks, 3).refused == 413U);
    BOOST_TEST((whole(in_chunks, 3).after_answer == after::linger));
}

BOOST_AUTO_TEST_CASE(a_body_that_can_not_be_read_is_refused)
{
    for (std::string_view const text :
         {"x\r\n", "3\r\nabcd\r\n0\r\n\r\n", "0\r\na: b\r\n c\r\n\r\n", "3 3\r\nabc\r\n",
          "ffffffffffffffffff\r\n"}) {
        BOOST_TEST_INFO(text);
        auto const got = whole(chunked(text));
        BOOST_TEST(got.refused == 400U);
        BOOST_TEST((got.after_answer == after::linger));
    }
}

BOOST_AUTO_TEST_CASE(a_folded_trailer_is_refused_wherever_it_is_split)
{
    auto const text = chunked("1\r\na\r\n0\r\nt: u\r\n v\r\n\r\n");
    for (std::size_t i = 0; i != text.size(); ++i)
        BOOST_TEST(feed({std::string_view(text).substr(0, i), std::string_view(text).substr(i)})
                       .read()
                       .refused == 400U);
}

BOOST_AUTO_TEST_CASE(a_trailer_may_have_so_many_fields)
{
    auto const with_fields = [](std::size_t fields) {
        std::string text = "0\r\n";
        for (std::size_t i = 0; i != fields; ++i)
            text += "a:\r\n";
        return chunked(text + "\r\n");
    };
    BOOST_TEST(whole(with_fields(belay::http::header_fields_max)).is_done);
    BOOST_TEST(whole(with_fields(belay::http::header_fields_max + 1)).refused == 431U);
}

BOOST_AUTO_TEST_CASE(what_is_around_chunks_is_bounded)
{
    // The head of a chunk that does not end.
    std::string head = chunked("3;");
    head.append(header_bytes_max - 3, 'x');
    BOOST_TEST(whole(head).refused == 0U);
    BOOST_TEST(whole(head + 'x').refused == 431U);
    // One that does, in one part or in two.
    std::string const rest = "\r\nabc\r\n0\r\n\r\n";
    std::string const longest = head.substr(0, head.size() - 1);
    BOOST_TEST(whole(longest + rest).is_done);
    BOOST_TEST(feed({head + "xx", rest}).read().refused == 431U);
    BOOST_TEST(whole(head + "xx" + rest).refused == 431U);
    // A trailer that does not end, and one that does.
    std::string trailer = chunked("0\r\na: ");
    trailer.append(header_bytes_max, 'x');
    BOOST_TEST(whole(trailer).refused == 431U);
    BOOST_TEST(whole(trailer + "\r\n\r\n").refused == 431U);
    // Far more around chunks than in them.
    std::string chunks = chunked("");
    for (int i = 0; i != 200; ++i)
        chunks.append("1;").append(80, 'x').append("\r\na\r\n");
    BOOST_TEST(whole(chunks).refused == 400U);
    BOOST_TEST(whole(chunks).message == "The body has far more around its chunks than in them");
}

BOOST_AUTO_TEST_CASE(a_piece_of_a_body_is_no_larger_than_its_room)
{
    feed all({"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcde"});
    BOOST_TEST(!all.read_header());
    BOOST_TEST(!all.reader.begin_body(any_size));
    std::array<char, 2> room{};
    for (std::string_view const piece : {"ab", "cd", "e"}) {
        BOOST_TEST(!all.reader.is_done());
        BOOST_TEST(all.reader.next(all.input, room).value() == piece);
    }
    BOOST_TEST(all.reader.is_done());
    BOOST_TEST(all.reader.taken() == 5U);
}

BOOST_AUTO_TEST_CASE(a_body_may_be_skipped)
{
    feed all({"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab", "cdeGET"});
    BOOST_TEST(!all.read_header());
    BOOST_TEST(all.reader.body_left().value() == 5U);
    all.reader.skip(all.input);
    BOOST_TEST(all.input.size() == 0U);
    BOOST_TEST(all.reader.body_left().value() == 3U);
    BOOST_TEST((all.reader.after_answer() == after::linger));
    BOOST_TEST(all.more());
    all.reader.skip(all.input);
    BOOST_TEST(all.reader.is_done());
    BOOST_TEST((all.reader.after_answer() == after::keep));
    BOOST_TEST(bytes_of(all.input) == "GET");
}

BOOST_AUTO_TEST_CASE(how_much_of_a_body_is_left_is_known_only_where_its_length_is)
{
    feed known({"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab"}, 16, 4);
    BOOST_TEST(!known.reader.body_left());
    BOOST_TEST(known.read().refused == 413U);
    BOOST_TEST(known.reader.body_left().value() == 5U);
    auto const text = chunked("2\r\nab");
    feed unknown({text});
    BOOST_TEST(unknown.read().refused == 0U);
    BOOST_TEST(!unknown.reader.body_left());
    feed none({"GET / HTTP/1.1\r\nHost: h\r\n\r\n"});
    BOOST_TEST(none.read().is_done);
    BOOST_TEST(!none.reader.body_left());
}
