#include "temporary_directory.hpp"
#include "type_runner.hpp"

#include <belay/http/types.hpp>

#include <boost/test/unit_test.hpp>

#include <zstd.h>

#include <random>
#include <string>
#include <string_view>

using namespace belay::http;
using belay::test::temporary_directory;
using belay::test::type_runner;

namespace {

struct fixture {
    /// Compresses a file with these bytes; what comes of that, taken apart again.
    std::string there_and_back(std::string_view bytes, std::string const& level)
    {
        directory.write("file", bytes);
        auto const ended = runner.run(R"({"path":"file","level":)" + level + "}");
        BOOST_TEST_REQUIRE((ended.status.state == belay::job_state::succeeded));
        BOOST_TEST_REQUIRE(ended.left.has_value());
        BOOST_TEST(ended.output == "{\"bytes_in\":" + std::to_string(bytes.size()) +
                                        ",\"bytes_out\":" + std::to_string(ended.left->size()) +
                                        "}");
        std::string back(bytes.size() + 1, 'x');
        auto const size = ZSTD_decompress(back.data(), back.size(), ended.left->data(),
                                          ended.left->size());
        BOOST_TEST_REQUIRE(!ZSTD_isError(size));
        back.resize(size);
        return back;
    }

    temporary_directory directory;
    type_runner runner{compress_type(open_root(directory.path()))};
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(compress_test, fixture)

BOOST_AUTO_TEST_CASE(what_is_compressed_comes_back)
{
    BOOST_TEST(there_and_back("", "3") == "");
    BOOST_TEST(there_and_back("abc", "1") == "abc");
    std::string const zeros(3'000'000, '\0');
    BOOST_TEST((there_and_back(zeros, "19") == zeros));
    std::mt19937 random(1);
    std::string noise(500'000, '\0');
    for (char& byte : noise)
        byte = static_cast<char>(random());
    BOOST_TEST((there_and_back(noise, "3") == noise));
}

BOOST_AUTO_TEST_CASE(inputs_are_kept_in_the_long_form)
{
    BOOST_TEST(runner.check(R"("a/b")") == R"({"path":"a/b","level":3})");
    BOOST_TEST(runner.check(R"({"path":"x","level":19})") == R"({"path":"x","level":19})");
}

BOOST_AUTO_TEST_CASE(inputs_of_another_form_are_refused_with_the_field)
{
    std::string const range = "level: level must be an integer from 1 to 19, not ";

    BOOST_TEST(runner.check(R"({"path":"x","level":0})") == range + "0");
    BOOST_TEST(runner.check(R"({"path":"x","level":20})") == range + "20");
    BOOST_TEST(runner.check(R"({"path":"x","level":"3"})") == range + "\"3\"");
    BOOST_TEST(runner.check(R"({"level":3})") == "path: path is missing");
    BOOST_TEST(runner.check(R"({"path":3})") == "path: path must be a string, not 3");
    BOOST_TEST(runner.check("3") == ": The input must be an object with path, or a string, not 3");
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_read_fails_its_job)
{
    auto const ended = runner.run(R"({"path":"missing"})");

    BOOST_TEST((ended.status.failure == belay::failure::input));
    BOOST_TEST(!ended.left.has_value());
}

BOOST_AUTO_TEST_SUITE_END()
