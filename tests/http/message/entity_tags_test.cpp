#include "message/entity_tags.hpp"

#include <boost/test/unit_test.hpp>

#include <string_view>

using namespace belay::http;

namespace {

bool strongly(std::string_view field)
{
    return names_tag(field, "\"a\"", tag_comparison::strong);
}
bool weakly(std::string_view field)
{
    return names_tag(field, "\"a\"", tag_comparison::weak);
}

} // namespace

BOOST_AUTO_TEST_SUITE(entity_tags_test)

BOOST_AUTO_TEST_CASE(a_tag_is_found_in_a_list)
{
    for (auto const* const field :
         {R"("a")", R"( "a" )", R"("b","a")", R"("a", "b")", R"("b" , "a","c")", R"(, ,"a",)",
          R"(W/"b", "a")", R"("x,y", "a")", R"("\", "a")", R"(nonsense, "a")", "\"b\",\t\"a\""}) {
        BOOST_TEST(strongly(field), field);
        BOOST_TEST(weakly(field), field);
    }
    for (auto const* const field :
         {"", " ", ",", "a", R"("")", R"("A")", R"("a)", R"(a")", R"("aa")", R"("b")", R"(x"a")",
          R"("a"x)", R"("a" "b")", R"("b, "a")", R"(w/"a")", R"(W/ "a")", R"(W/W/"a")", "W/",
          "W/a"}) {
        BOOST_TEST(!strongly(field), field);
        BOOST_TEST(!weakly(field), field);
    }
}

BOOST_AUTO_TEST_CASE(a_weak_tag_is_the_same_by_weak_comparison_only)
{
    for (auto const* const field : {R"(W/"a")", R"("b", W/"a")", R"(W/"b" ,W/"a" )"}) {
        BOOST_TEST(weakly(field), field);
        BOOST_TEST(!strongly(field), field);
    }
}

BOOST_AUTO_TEST_CASE(a_star_alone_is_any_tag)
{
    for (auto const* const field : {"*", " *", "*\t"}) {
        BOOST_TEST(strongly(field), field);
        BOOST_TEST(weakly(field), field);
    }
    for (auto const* const field : {"**", R"("*")", "*, \"b\"", "\"b\", *", "W/*"})
        BOOST_TEST(!weakly(field), field);
}

BOOST_AUTO_TEST_CASE(a_tag_may_have_a_comma_in_it)
{
    BOOST_TEST(names_tag(R"("a", "b,c")", R"("b,c")", tag_comparison::strong));
    BOOST_TEST(!names_tag(R"("b", "c")", R"("b,c")", tag_comparison::strong));
}

BOOST_AUTO_TEST_SUITE_END()
