// Bodies of parts, however they are cut.
#include "message/multipart.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace http = belay::http;

namespace {

using namespace std::string_literals;

constexpr std::uint64_t parts_max = 3;

struct part {
    http::part_head head;
    std::string data;
    bool ended = false;
    bool operator==(part const&) const = default;
};

struct outcome {
    std::vector<part> parts;
    std::string error; ///< the message
    std::uint64_t in = 0;
    bool operator==(outcome const&) const = default;
};

/// Whether the reader has no more for now.
bool drain(http::multipart_reader& reader, outcome& into)
{
    while (true) {
        auto const found = reader.next();
        if (!found) {
            auto const error = found.error();
            BOOST_TEST(error.status == 400U);
            BOOST_TEST(error.code == "invalid_request");
            into.error = error.message;
            if (auto const* number = error.details.if_contains("part"))
                into.in = number->to_number<std::uint64_t>();
            return false;
        }
        if (!*found)
            return true;
        if (auto const* head = std::get_if<http::part_head>(&**found)) {
            BOOST_TEST((into.parts.empty() || into.parts.back().ended));
            into.parts.push_back({*head, {}});
            continue;
        }
        BOOST_REQUIRE(!into.parts.empty());
        BOOST_TEST(!into.parts.back().ended);
        if (auto const* data = std::get_if<http::part_data>(&**found)) {
            BOOST_TEST(!data->bytes.empty());
            into.parts.back().data += data->bytes;
        } else {
            into.parts.back().ended = true;
        }
    }
}

/// In pieces of so many bytes, after a first one.
outcome read(std::string_view body, std::size_t first, std::size_t others,
             std::string const& boundary)
{
    http::multipart_reader reader(boundary, parts_max);
    outcome result;
    for (std::size_t piece = first; !body.empty(); piece = others) {
        reader.add(body.substr(0, piece));
        body.remove_prefix(std::min(piece, body.size()));
        if (!drain(reader, result))
            return result;
    }
    reader.finish();
    drain(reader, result);
    return result;
}

/// What comes of a body; the same however it is cut.
outcome read(std::string_view body, std::string const& boundary = "b")
{
    outcome const whole = read(body, body.size() + 1, 1, boundary);
    for (std::size_t cut = 1; cut < body.size(); ++cut)
        BOOST_TEST((read(body, cut, body.size(), boundary) == whole));
    for (std::size_t piece = 1; piece != 40; ++piece)
        BOOST_TEST((read(body, piece, piece, boundary) == whole));
    return whole;
}

std::string head_of(std::string_view disposition)
{
    return "Content-Disposition: " + std::string(disposition) + "\r\n";
}

std::string const named_x = head_of("form-data; name=x");

/// A body of one part.
std::string body_of(std::string_view head, std::string_view data)
{
    std::string body = "--b\r\n";
    body.append(head).append("\r\n").append(data).append("\r\n--b--\r\n");
    return body;
}

/// The data of the one part that `data` is sent as.
std::string data_of(std::string_view data)
{
    auto const found = read(body_of(named_x, data));
    BOOST_TEST(found.error == "");
    BOOST_REQUIRE(found.parts.size() == 1U);
    BOOST_TEST(found.parts[0].ended);
    return found.parts[0].data;
}

http::part_head head_for(std::string_view head)
{
    auto const found = read(body_of(head, ""));
    BOOST_TEST(found.error == "");
    BOOST_REQUIRE(found.parts.size() == 1U);
    return found.parts[0].head;
}

/// Why a part with that head is refused.
std::string refusal_of(std::string_view head)
{
    auto const found = read(body_of(head, "data"));
    BOOST_TEST(found.in == 1U);
    BOOST_TEST(found.parts.empty());
    BOOST_TEST(found.error.starts_with("Part 1: "));
    return found.error;
}

bool contains(std::string_view text, std::string_view part)
{
    return text.find(part) != text.npos;
}

} // namespace

BOOST_AUTO_TEST_SUITE(multipart)

BOOST_AUTO_TEST_CASE(each_part_has_a_head_data_and_an_end)
{
    auto const found =
        read("--b\r\n"
             "Content-Disposition: form-data; name=\"request\"\r\n"
             "Content-Type: application/json; charset=utf-8\r\n\r\n"
             "{}\r\n"
             "--b\r\n"
             "content-disposition: FORM-DATA; filename=\"a b.txt\"; name=file\r\n\r\n"
             "one\r\ntwo\n\r\n\r\n"
             "--b--\r\n");

    BOOST_TEST(found.error == "");
    BOOST_REQUIRE(found.parts.size() == 2U);
    BOOST_TEST((found.parts[0] ==
                part{{"request", std::nullopt, "application/json; charset=utf-8"}, "{}", true}));
    BOOST_TEST((found.parts[1] == part{{"file", "a b.txt", ""}, "one\r\ntwo\n\r\n", true}));
}

BOOST_AUTO_TEST_CASE(what_precedes_the_first_boundary_and_follows_the_last_is_nothing)
{
    std::string const inner = body_of(named_x, "1");
    auto const expected = read(inner);
    BOOST_REQUIRE(expected.parts.size() == 1U);

    for (std::string_view const before : {"\r\n", "a preamble\r\n", "--c\r\n--b-\r\n", "x--b\r\n"})
        for (std::string_view const behind : {"", "\r\n", "--b\r\nmore", "\r\n--b\r\n\r\n"})
            BOOST_TEST((read(std::string(before) + inner + std::string(behind)) == expected));
    BOOST_TEST((read(inner.substr(0, inner.size() - 2)) == expected));
    BOOST_TEST((read(inner.substr(0, inner.size() - 2) + " \t ") == expected));
}

BOOST_AUTO_TEST_CASE(a_form_may_have_no_parts_and_a_part_no_data)
{
    BOOST_TEST((read("--b--\r\n") == outcome()));
    BOOST_TEST((read("--b--") == outcome()));
    BOOST_TEST(data_of("") == "");
    auto const found = read("--b\r\n" + named_x + "\r\n--b\r\n" + named_x + "\r\n--b--");
    BOOST_TEST(found.error == "");
    BOOST_REQUIRE(found.parts.size() == 2U);
    BOOST_TEST((found.parts[1] == part{{"x", std::nullopt, ""}, "", true}));
}

BOOST_AUTO_TEST_CASE(what_is_not_just_a_boundary_on_a_line_is_data)
{
    for (std::string const& data : {"--b"s,         "x--b--"s,    "\n--b"s,
                                    "\r--b--"s,     "\r\n-b"s,    "\r\n--B"s,
                                    "\r\n--bb"s,    "\r\n--b-"s,  "\r\n--b-x"s,
                                    "\r\n--b--x"s,  "\r\n--b x"s, "\r\n--b\rx"s,
                                    "\r\n--b\r\r"s, "\r\n--"s,    "\r\n--b-\r\n--b-"s,
                                    "\r"s,          "\n"s,        "\r\n"s,
                                    "\r\n\r\n"s,    "\r\r\n\r"s,  "\r\n-\r\n--\r\n--c"s,
                                    "\0\xFF"s}) {
        bool const is_first = data == "--b";
        BOOST_TEST(data_of((is_first ? "-" : "") + data) == (is_first ? "-" : "") + data);
    }
}

BOOST_AUTO_TEST_CASE(blanks_may_follow_a_boundary_but_not_too_many)
{
    for (std::string const& blanks :
         {" "s, "\t \t"s, std::string(http::boundary_blanks_max, ' ')}) {
        auto const found =
            read("--b" + blanks + "\r\n" + named_x + "\r\n1\r\n--b--" + blanks + "\r\n");
        BOOST_TEST(found.error == "");
        BOOST_REQUIRE(found.parts.size() == 1U);
        BOOST_TEST(found.parts[0].data == "1");
    }
    std::string const more(http::boundary_blanks_max + 1, ' ');
    BOOST_TEST(contains(read("--b" + more + "\r\n").error, "too many blanks"));
    BOOST_TEST(contains(read("--b\r\n" + named_x + "\r\n1\r\n--b--" + more).error, "Part 1: "));
}

BOOST_AUTO_TEST_CASE(lines_that_end_in_lf_alone_are_refused)
{
    std::string const one = "--b\r\n" + named_x + "\r\n1\r\n";
    for (std::string const& body :
         {"--b\n"s + named_x + "\n1\n--b--\n", "--b \n"s, "--b--\n"s, one + "--b\n",
          one + "--b--\n", "--b\r\nContent-Disposition: form-data; name=x\n\n1\r\n--b--\r\n"s,
          "--b\r\n\n"s + named_x + "\r\n1"})
        BOOST_TEST(contains(read(body).error, "LF alone"), body);
}

BOOST_AUTO_TEST_CASE(a_body_that_ends_too_early_is_refused)
{
    std::string const whole = body_of(named_x, "data");
    std::size_t const last = whole.rfind("--\r\n") + 2;
    for (std::size_t size = 0; size != last; ++size) {
        auto const found = read(whole.substr(0, size));
        BOOST_TEST(!found.error.empty());
        BOOST_TEST(found.in == (size < 5 ? 0U : 1U));
        BOOST_TEST(contains(found.error, size < 5 ? "the line \"--b\"" : "the line \"--b--\""));
    }
    BOOST_TEST(read(whole.substr(0, last)).error == "");
    BOOST_TEST(contains(read("some text").error, "no boundary"));
    BOOST_TEST(contains(read(whole, "other").error, "no boundary"));
}

BOOST_AUTO_TEST_CASE(there_may_be_as_many_parts_as_the_limit_but_not_more)
{
    std::string body;
    for (std::uint64_t count = 0; count != parts_max; ++count)
        body += "--b\r\n" + named_x + "\r\n1\r\n";

    BOOST_TEST(read(body + "--b--").parts.size() == parts_max);
    BOOST_TEST(read(body + "--b--").error == "");
    auto const found = read(body + "--b\r\n");
    BOOST_TEST(found.parts.size() == parts_max);
    BOOST_TEST(found.error == "There are too many parts; at most 3 are accepted");
}

BOOST_AUTO_TEST_CASE(names_are_read_as_browsers_and_curl_write_them)
{
    struct {
        std::string written;
        std::string meant;
    } const cases[] = {
        {R"("")", ""},
        {R"("a b")", "a b"},
        {"token", "token"},
        {R"("a;b=\"c\"")", "a;b=\"c\""},
        {R"("a%22b%0D%0Ac")", "a\"b\r\nc"},
        {R"("a\\b\"c")", "a\\b\"c"},
        {R"("C:\dir\new.txt")", "C:\\dir\\new.txt"},
        {R"("%41%2F%0d%2522%")", "%41%2F%0d%2522%"},
        {"\"\xC3\xA9\xE2\x82\xAC\"", "\xC3\xA9\xE2\x82\xAC"},
    };
    for (auto const& [written, meant] : cases) {
        BOOST_TEST(head_for(head_of("form-data; name=" + written)).name == meant);
        auto const head = head_for(head_of("form-data; name=x; filename=" + written));
        BOOST_TEST(head.filename.value() == meant);
    }
}

BOOST_AUTO_TEST_CASE(parameters_and_fields_that_are_not_known_are_ignored)
{
    http::part_head const expected{"x", "f", "text/plain"};
    for (std::string const& head :
         {head_of("form-data;;name=x ; size=3;filename=f;") + "Content-Type:text/plain \r\n",
          "X-Other: \xFF\r\n" + head_of("form-data; Name=x; FileName=f") +
              "CONTENT-TYPE: text/plain\r\nContent-Length: 1\r\n",
          head_of("form-data; name=x; filename=f; filename*=UTF-8''g") +
              "Content-Type: text/plain\r\nContent-Transfer-Encoding: Binary\r\n"})
        BOOST_TEST((head_for(head) == expected), head);
}

BOOST_AUTO_TEST_CASE(a_head_that_can_not_be_understood_is_refused)
{
    struct {
        std::string head;
        std::string reason;
    } const cases[] = {
        {"", "no Content-Disposition"},
        {"Content-Type: text/plain\r\n", "no Content-Disposition"},
        {named_x + named_x, "two Content-Dispositions"},
        {named_x + "Content-Type: a/b\r\nContent-Type: a/b\r\n", "two Content-Types"},
        {named_x + "Content-Type: \xFF\r\n", "not UTF-8"},
        {head_of("attachment; name=x"), "form-data; name="},
        {head_of("form-data"), "has no name"},
        {head_of("form-data; filename=x"), "has no name"},
        {head_of("form-data; name*=UTF-8''x"), "has no name"},
        {head_of("form-data; name=x; filename*=UTF-8''y"), "filename*"},
        {head_of("form-data; name=x; name=x"), "two parameters \"name\""},
        {head_of("form-data; name=x; filename=y; FILENAME=y"), "two parameters \"filename\""},
        {head_of("form-data; name=\"x"), "can't be read from \"; name="},
        {head_of("form-data; name="), "can't be read"},
        {head_of("form-data; name =x"), "can't be read"},
        {head_of("form-data; name"), "can't be read"},
        {head_of("form-data; name=x y"), "can't be read from \" y\""},
        {head_of("form-data; name=\"x\"y"), "can't be read from \"y\""},
        {head_of("form-data; name=\"\xFF\""), "name \"\\xff\" is not UTF-8"},
        {head_of("form-data; name=x; filename=\"\xC3\""), "filename \"\\xc3\" is not UTF-8"},
        {head_of("form-data;\r\n name=x"), "begins with a blank"},
        {"Content-Disposition : form-data; name=x\r\n", "is no field"},
        {"form-data; name=x\r\n", "is no field"},
        {head_of("form-data; name=\"a\0b\""s), "control character"},
        {head_of("form-data; name=\"a\rb\""), "control character"},
        {named_x + "Content-Transfer-Encoding: base64\r\n", "base64"},
        {named_x + "Content-Transfer-Encoding: quoted-printable\r\n", "quoted-printable"},
    };
    for (auto const& [head, reason] : cases)
        BOOST_TEST(contains(refusal_of(head), reason), head << " -> " << refusal_of(head));
}

BOOST_AUTO_TEST_CASE(an_error_says_which_part_it_is_in)
{
    auto const found = read("--b\r\n" + named_x + "\r\n1\r\n--b\r\n\r\n2\r\n--b--");

    BOOST_TEST(found.parts.size() == 1U);
    BOOST_TEST(found.in == 2U);
    BOOST_TEST(found.error.starts_with("Part 2: It has no Content-Disposition; "));
}

BOOST_AUTO_TEST_CASE(a_head_may_be_as_long_as_the_limit_but_not_longer)
{
    std::string head = named_x + "X: ";
    head.append(http::part_head_bytes_max - head.size(), 'x');

    // Whole, and byte by byte: every cut of so much would take long.
    for (std::size_t const piece : {std::size_t{1}, std::size_t{100}, std::size_t{10'000}}) {
        BOOST_TEST(read(body_of(head + "\r\n", "1"), piece, piece, "b").error == "");
        auto const found = read(body_of(head + "x\r\n", "1"), piece, piece, "b");
        BOOST_TEST(found.error == "Part 1: Its head is too long; at most 8192 bytes are accepted");
    }
}

BOOST_AUTO_TEST_CASE(a_head_that_never_ends_is_refused_before_its_end)
{
    http::multipart_reader reader("b", parts_max);
    outcome found;
    reader.add("--b\r\n");
    BOOST_TEST(drain(reader, found));
    std::size_t fed = 0;
    do
        reader.add("x");
    while (drain(reader, found) && ++fed < 100'000);

    BOOST_TEST(fed == http::part_head_bytes_max + 3);
    BOOST_TEST(contains(found.error, "too long"));
}

BOOST_AUTO_TEST_CASE(memory_does_not_grow_with_the_body)
{
    for (std::string const& line : {"\r\n--bounda"s, "\r\n--boundary"s + std::string(60, ' ') + "x",
                                    "\r\r\r\r\r\r"s, std::string(50, 'x')}) {
        http::multipart_reader reader("boundary", parts_max);
        std::uint64_t most = 0;
        std::string data;
        auto const read_on = [&] {
            outcome found;
            found.parts.emplace_back();
            bool const good = drain(reader, found);
            data += found.parts.back().data;
            most = std::max(most, reader.bytes_held());
            return good;
        };
        reader.add("junk\r\n--boundary\r\n" + named_x + "\r\n");
        outcome head;
        BOOST_TEST(drain(reader, head));
        for (int count = 0; count != 20'000; ++count) {
            reader.add(line);
            BOOST_REQUIRE(read_on());
        }
        reader.add("\r\n--boundary--");
        reader.finish();
        BOOST_TEST(read_on());

        BOOST_TEST(data.size() == 20'000 * line.size());
        BOOST_TEST(most < 1024U);
    }
}

BOOST_AUTO_TEST_CASE(a_content_type_is_multipart_whatever_its_parameters)
{
    for (std::string_view const type :
         {"multipart/form-data; boundary=x", "Multipart/Form-Data ;x", "multipart/form-data"})
        BOOST_TEST(http::is_multipart(type));
    for (std::string_view const type : {"", "multipart/mixed; boundary=x", "multipart/form-data2",
                                        "application/json; x=multipart/form-data"})
        BOOST_TEST(!http::is_multipart(type));
}

BOOST_AUTO_TEST_CASE(the_boundary_is_that_of_the_content_type)
{
    struct {
        std::string parameters;
        std::string boundary; ///< empty if it is refused
    } const cases[] = {
        {"; boundary=x", "x"},
        {";charset=utf-8 ; Boundary=\"a b\";", "a b"},
        {"; boundary=----WebKitFormBoundaryAbC/+9", "----WebKitFormBoundaryAbC/+9"},
        {"; boundary=\"=_(1):2,3?\"", "=_(1):2,3?"},
        {"; boundary====1==", "===1=="},
        {"; boundary=" + std::string(70, '-'), std::string(70, '-')},
        {"; boundary=" + std::string(71, '-'), ""},
        {"", ""},
        {"; charset=utf-8", ""},
        {"; boundary=", ""},
        {"; boundary=\"\"", ""},
        {"; boundary=\"a \"", ""},
        {"; boundary=\"a", ""},
        {"; boundary=a b", ""},
        {"; boundary=a; boundary=a", ""},
        {"; boundary=a\xFF", ""},
        {"; boundary=\"a\\\"b\"", ""},
        {"; boundary=\"a\r\nb\"", ""},
        {"; boundary=a*b", ""},
    };
    for (auto const& [parameters, boundary] : cases) {
        auto const found = http::boundary_of("multipart/form-data" + parameters);
        BOOST_TEST(found.has_value() == !boundary.empty(), parameters);
        if (found)
            BOOST_TEST(*found == boundary);
        else
            BOOST_TEST(found.error().status == 400U);
    }
}

BOOST_AUTO_TEST_SUITE_END()
