#include "server/response_head.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>
#include <string>
#include <string_view>

using namespace belay::http;

namespace {

class nothing final : public body_source {
public:
    bool next(std::string&) override { return false; }
};

std::string head(response const& answer, sending how = {})
{
    how.request_id = "req-1";
    return head_of(answer, how);
}

bool has(std::string_view text, std::string_view line)
{
    return text.find("\r\n" + std::string(line) + "\r\n") != text.npos;
}

} // namespace

BOOST_AUTO_TEST_SUITE(response_head_test)

BOOST_AUTO_TEST_CASE(a_whole_answer_has_its_size)
{
    auto const text = head({.fields = {{"Location", "/x"}}, .body = "12345"});

    BOOST_TEST(text.starts_with("HTTP/1.1 200 OK\r\n"));
    BOOST_TEST(text.ends_with("\r\n\r\n"));
    for (auto const line : {"Content-Length: 5", "Content-Type: application/json", "X-Request-Id: req-1",
                            "Location: /x", "Cache-Control: no-store", "X-Content-Type-Options: nosniff"})
        BOOST_TEST(has(text, line), text);
    BOOST_TEST(text.find("Connection:") == text.npos);
    BOOST_TEST(text.find("\r\nDate: ") != text.npos);
}

BOOST_AUTO_TEST_CASE(one_of_unknown_size_comes_in_chunks_or_ends_with_the_connection)
{
    response answer;
    answer.rest = std::make_unique<nothing>();

    BOOST_TEST(is_chunked(answer, {}));
    BOOST_TEST(has(head(answer), "Transfer-Encoding: chunked"));
    BOOST_TEST(!is_chunked(answer, {.version = 10, .request_id = {}}));
    auto const old = head(answer, {.version = 10, .keeps_alive = false, .request_id = {}});
    BOOST_TEST(old.starts_with("HTTP/1.0 "));
    BOOST_TEST(old.find("Transfer-Encoding") == old.npos);
    BOOST_TEST(old.find("Content-Length") == old.npos);
}

BOOST_AUTO_TEST_CASE(the_rest_counts_where_its_size_is_known)
{
    response answer{.body = "123"};
    answer.rest = std::make_unique<nothing>();
    answer.rest_bytes = 7;

    BOOST_TEST(!is_chunked(answer, {}));
    BOOST_TEST(has(head(answer), "Content-Length: 10"));
}

BOOST_AUTO_TEST_CASE(the_last_answer_says_so)
{
    BOOST_TEST(has(head({}, {.keeps_alive = false, .request_id = {}}), "Connection: close"));
    BOOST_TEST(has(head({}, {.version = 10, .keeps_alive = true, .request_id = {}}),
                   "Connection: keep-alive"));
}

BOOST_AUTO_TEST_CASE(one_that_never_has_a_body_has_no_size)
{
    for (unsigned const status : {204U, 304U})
        BOOST_TEST(head({.status = status, .content_type = {}}).find("\r\nContent-") == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
