#include "message/traceparent.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using belay::http::is_traceparent;

BOOST_AUTO_TEST_SUITE(traceparent_test)

BOOST_AUTO_TEST_CASE(of_the_version_that_there_is)
{
    std::string const good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    BOOST_TEST(is_traceparent(good));
    BOOST_TEST(is_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff"));
    for (std::size_t i = 0; i != good.size(); ++i)
        for (char const wrong : {'g', 'A', ' ', '\0', '\n'}) {
            std::string changed = good;
            changed[i] = wrong;
            BOOST_TEST(!is_traceparent(changed), changed);
        }
    for (std::size_t size = 0; size != good.size(); ++size)
        BOOST_TEST(!is_traceparent(good.substr(0, size)));
    BOOST_TEST(!is_traceparent(good + "-00"));
    BOOST_TEST(!is_traceparent("00-00000000000000000000000000000000-00f067aa0ba902b7-01"));
    BOOST_TEST(!is_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"));
}

BOOST_AUTO_TEST_CASE(of_later_versions)
{
    std::string const later = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    BOOST_TEST(is_traceparent(later));
    BOOST_TEST(is_traceparent(later + "-what-the-future-holds"));
    BOOST_TEST(!is_traceparent(later + ".what"));
    BOOST_TEST(!is_traceparent(later + "-a\nb"));
    BOOST_TEST(!is_traceparent(later + '-' + std::string(100, 'a')));
    BOOST_TEST(!is_traceparent("ff" + later.substr(2)));
}

BOOST_AUTO_TEST_SUITE_END()
