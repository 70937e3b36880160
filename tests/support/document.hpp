#ifndef BELAY_TESTS_SUPPORT_DOCUMENT_HPP
#define BELAY_TESTS_SUPPORT_DOCUMENT_HPP

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace belay::test {

/// The lines of the document that the test was given (tests/Jamfile), from a heading to the next.
inline std::vector<std::string> section(std::string_view heading)
{
    auto const& suite = boost::unit_test::framework::master_test_suite();
    BOOST_TEST_REQUIRE(suite.argc == 2);
    std::ifstream in(suite.argv[1]);
    std::vector<std::string> lines;
    bool inside = false;
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with("## "))
            inside = line.substr(3) == heading;
        else if (inside)
            lines.push_back(line);
    }
    BOOST_TEST_REQUIRE(!lines.empty(), "the document has a section '" << heading << "'");
    return lines;
}

/// The parts of `text` between `separator`s, without the spaces around them.
inline std::vector<std::string> split(std::string_view text, std::string_view separator)
{
    std::vector<std::string> parts;
    for (bool last = false; !last;) {
        auto const end = text.find(separator);
        last = end == std::string_view::npos;
        std::string part(text.substr(0, end));
        part.erase(0, std::min(part.find_first_not_of(' '), part.size()));
        part.erase(part.find_last_not_of(' ') + 1);
        parts.push_back(std::move(part));
        if (!last)
            text.remove_prefix(end + separator.size());
    }
    return parts;
}

} // namespace belay::test

#endif
