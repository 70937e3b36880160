#include "message/text.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace belay::http;
using namespace std::string_view_literals;

BOOST_AUTO_TEST_SUITE(text_test)

BOOST_AUTO_TEST_CASE(utf8_is_told_from_other_bytes)
{
    for (auto const good : {""sv, "abc"sv, "\0"sv, "\x7f"sv, "é"sv, "€"sv, "\xED\x9F\xBF"sv,
                            "\xEE\x80\x80"sv, "\xF0\x90\x80\x80"sv, "\xF4\x8F\xBF\xBF"sv})
        BOOST_TEST(is_utf8(good), shown(good));

    for (auto const bad :
         {"\x80"sv, "\xBF"sv, "\xC3"sv, "\xC0\x80"sv, "\xC1\xBF"sv, "\xC3\x28"sv, "\xE0\x9F\xBF"sv,
          "\xE2\x82"sv, "\xE2\x82\x28"sv, "\xED\xA0\x80"sv, "\xF0\x8F\xBF\xBF"sv,
          "\xF4\x90\x80\x80"sv, "\xF5\x80\x80\x80"sv, "\xF0\x9F\x98"sv, "\xFF"sv, "a\xE9"sv})
        BOOST_TEST(!is_utf8(bad), shown(bad));
}

BOOST_AUTO_TEST_CASE(characters_are_counted_not_bytes)
{
    BOOST_TEST(count_characters("") == 0U);
    BOOST_TEST(count_characters("abc") == 3U);
    BOOST_TEST(count_characters("aé€😀") == 4U);
}

BOOST_AUTO_TEST_CASE(control_characters_are_found)
{
    for (auto const good : {""sv, "a b"sv, "é€😀"sv, "\xC2\xA0"sv})
        BOOST_TEST(!has_control(good), shown(good));
    for (auto const bad :
         {"\0"sv, "a\n"sv, "\x1F"sv, "a\x7F z"sv, "é\xC2\x80"sv, "\xC2\x9F"sv})
        BOOST_TEST(has_control(bad), shown(bad));
}

BOOST_AUTO_TEST_CASE(characters_that_deceive_are_found_and_named)
{
    for (auto const good :
         {""sv, "a b"sv, "é€😀"sv, "\xC2\xA0"sv, "\u2028\u2029\u200B\u200D\u2065\u206A"sv, "שלום"sv,
          "\u061B"sv, "\x80\xC2"sv})
        BOOST_TEST(!find_deceptive(good), shown(good));

    BOOST_TEST(find_deceptive("a\0b"sv).value() == "the control character U+0000");
    BOOST_TEST(find_deceptive("\x1B[2J").value() == "the control character U+001B");
    BOOST_TEST(find_deceptive("a\x7F").value() == "the control character U+007F");
    BOOST_TEST(find_deceptive("é\xC2\x85").value() == "the control character U+0085");
    for (auto const& [text, number] : std::vector<std::pair<std::string, std::string>>{
             {"\u061C", "U+061C"}, {"\u200E", "U+200E"}, {"\u200F", "U+200F"}, {"\u202A", "U+202A"},
             {"a\u202Eb", "U+202E"}, {"\u2066", "U+2066"}, {"😀\u2069", "U+2069"}})
        BOOST_TEST(find_deceptive(text).value() ==
                   "the bidirectional formatting character " + number);
}

BOOST_AUTO_TEST_CASE(some_control_characters_may_be_allowed)
{
    BOOST_TEST(!find_deceptive("a\n\tb", "\n\t"));
    BOOST_TEST(find_deceptive("a\n\rb", "\n\t").value() == "the control character U+000D");
    BOOST_TEST(find_deceptive("\n\u202E", "\n\t").value() ==
               "the bidirectional formatting character U+202E");
}

BOOST_AUTO_TEST_CASE(text_is_compared_without_case_to_its_end_and_no_further)
{
    // On the heap, of its own size, so that AddressSanitizer sees a read behind the end.
    std::vector<char> const bytes{'l', 'o', 'c', 'a', 'L', 'h', 'o', 's', 'T'};
    std::string_view const left(bytes.data(), bytes.size());
    BOOST_TEST(equal_but_for_case(left, "localhost"));
    BOOST_TEST(!equal_but_for_case(left, "localhosts"));
    BOOST_TEST(!equal_but_for_case(left, "localhos"));
    BOOST_TEST(!equal_but_for_case("[", "{"));
    BOOST_TEST(equal_but_for_case("", ""));
}

BOOST_AUTO_TEST_CASE(bytes_of_no_character_are_replaced)
{
    BOOST_TEST(replace_bad_utf8("") == "");
    BOOST_TEST(replace_bad_utf8("aé€😀\n") == "aé€😀\n");
    BOOST_TEST(replace_bad_utf8("\0"sv) == "\0"sv);
    BOOST_TEST(replace_bad_utf8("a\xFF") == "a\uFFFD");
    BOOST_TEST(replace_bad_utf8("\xE2\x82") == "\uFFFD\uFFFD");
    BOOST_TEST(replace_bad_utf8("\xE2\x82z\xC3") == "\uFFFD\uFFFDz\uFFFD");
}

BOOST_AUTO_TEST_CASE(what_is_not_printable_is_escaped)
{
    BOOST_TEST(shown("a/b é€.txt") == "a/b é€.txt");
    BOOST_TEST(shown("a\0b\n\x7f"sv) == "a\\x00b\\x0a\\x7f");
    BOOST_TEST(shown("\xC2\x85|\xC2\xA0") == "\\xc2\\x85|\xC2\xA0");
    BOOST_TEST(shown("\xE9t\xE9") == "\\xe9t\\xe9");
    BOOST_TEST(shown("a\"b\\c") == "a\\\"b\\\\c");
    BOOST_TEST(quoted("a b") == "\"a b\"");
}

BOOST_AUTO_TEST_CASE(what_is_long_is_cut_between_characters)
{
    BOOST_TEST(shown("abc", 3) == "abc");
    BOOST_TEST(shown("abcd", 3) == "abc…");
    BOOST_TEST(shown("ééé", 2) == "éé…");
    BOOST_TEST(shown(std::string(100'000, 'x')) == std::string(64, 'x') + "…");
}

BOOST_AUTO_TEST_SUITE_END()
