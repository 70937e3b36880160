#include "types/checksum.hpp"

#include "no_descriptors.hpp"
#include "temporary_directory.hpp"
#include "type_runner.hpp"

#include <belay/http/types.hpp>

#include <boost/json/parse.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/stat.h>

using namespace belay::http;
using belay::test::temporary_directory;
using belay::test::type_runner;

namespace {

struct fixture {
    /// The code and the message of a job that fails.
    std::string failure(std::string_view bytes)
    {
        auto const ended = runner.run(bytes);
        BOOST_TEST((ended.status.state == belay::job_state::failed));
        BOOST_REQUIRE(ended.status.failure.has_value());
        return std::string(to_string(*ended.status.failure)) + ": " + ended.status.message;
    }

    temporary_directory directory;
    type_runner runner{checksum_type(open_root(directory.path()))};
};

std::string result_of(std::string_view algorithm, std::string_view digest, std::uint64_t bytes)
{
    return "{\"algorithm\":\"" + std::string(algorithm) + "\",\"digest\":\"" + std::string(digest) +
           "\",\"bytes\":" + std::to_string(bytes) + "}";
}

constexpr std::string_view sha256_of_nothing =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

} // namespace

BOOST_FIXTURE_TEST_SUITE(checksum_test, fixture)

BOOST_AUTO_TEST_CASE(a_file_waits_for_a_descriptor)
{
    directory.write("empty", "");
    {
        auto const before = runner.start(R"({"path":"empty"})"); // what an engine opens is open
        BOOST_REQUIRE(before.wait_for(std::chrono::seconds(60)));
    }
    std::optional<belay::recorded_batch> batch;
    {
        belay::test::no_descriptors const none;
        batch = runner.start(R"({"path":"empty"})");
        BOOST_TEST(!batch->wait_for(std::chrono::milliseconds(50)));
    }
    BOOST_TEST(type_runner::wait(*batch).output == result_of("sha256", sha256_of_nothing, 0));
}

BOOST_AUTO_TEST_CASE(digests_are_those_of_the_standards)
{
    directory.write("abc", "abc");

    for (auto const& [algorithm, digest] : std::vector<std::pair<std::string, std::string>>{
             {"sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
             {"sha224", "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"},
             {"sha384", "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
                        "8086072ba1e7cc2358baeca134c825a7"},
             {"sha512", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
             {"sha3-256", "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"},
             {"sha3-512", "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e"
                          "10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0"},
             {"blake2b512", "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
                            "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923"},
             {"sha1", "a9993e364706816aba3e25717850c26c9cd0d89d"},
             {"md5", "900150983cd24fb0d6963f7d28e17f72"},
         })
        BOOST_TEST(runner.run(R"({"path":"abc","algorithm":")" + algorithm + "\"}").output ==
                   result_of(algorithm, digest, 3));
}

BOOST_AUTO_TEST_CASE(a_file_of_many_reads_and_one_of_none_are_read)
{
    directory.write("million", std::string(1'000'000, 'a'));
    directory.write("block", std::string(65'536, 'a'));
    directory.write("empty", "");

    BOOST_TEST(runner.run(R"("million")").output ==
               result_of("sha256",
                         "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
                         1'000'000));
    BOOST_TEST(runner.run(R"("block")").output ==
               result_of("sha256",
                         "bf718b6f653bebc184e1479f1935b8da974d701b893afcf49e701f3e2f9f9c5a",
                         65'536));
    BOOST_TEST(runner.run(R"("empty")").output == result_of("sha256", sha256_of_nothing, 0));
}

BOOST_AUTO_TEST_CASE(inputs_are_kept_in_the_long_form)
{
    BOOST_TEST(runner.check(R"("a/b.txt")") == R"({"path":"a/b.txt","algorithm":"sha256"})");
    BOOST_TEST(runner.check(R"({"path":"a"})") == R"({"path":"a","algorithm":"sha256"})");
    BOOST_TEST(runner.check(R"({"algorithm":"md5","path":"a"})") ==
               R"({"path":"a","algorithm":"md5"})");
    // What is wrong with a path is the job's affair.
    BOOST_TEST(runner.check(R"("")") == R"({"path":"","algorithm":"sha256"})");
    BOOST_TEST(runner.check(R"("../\u0000")") == R"({"path":"../\u0000","algorithm":"sha256"})");
}

BOOST_AUTO_TEST_CASE(inputs_of_another_form_are_refused_with_the_field)
{
    for (auto const bad : {"null", "true", "1", "1.5", "[]", "[\"a\"]"})
        BOOST_TEST(runner.check(bad).starts_with(": The input must be"), bad);
    BOOST_TEST(runner.check("{}") == "path: path is missing");
    BOOST_TEST(runner.check(R"({"path":1})") == "path: path must be a string, not 1");
    BOOST_TEST(runner.check(R"({"path":null})") == "path: path must be a string, not null");
    BOOST_TEST(runner.check(R"({"path":"a","algoritm":"md5"})") ==
               "algoritm: There is no member \"algoritm\"; known here: path, algorithm");
    for (auto const bad : {"1", "null", "\"SHA256\"", "\"\"", "\"sha\"", "\"shake128\""})
        BOOST_TEST(runner.check(R"({"path":"a","algorithm":)" + std::string(bad) + "}")
                       .starts_with("algorithm: algorithm must be one of [\"sha256\","),
                   bad);
}

BOOST_AUTO_TEST_CASE(whatever_is_wrong_with_a_path_fails_its_job)
{
    directory.write("folder/file", "abc");
    std::filesystem::create_symlink("/etc/passwd", directory.path() / "link");
    BOOST_REQUIRE(::mkfifo((directory.path() / "fifo").c_str(), 0600) == 0);

    BOOST_TEST(failure(R"("missing")") == "input: \"missing\" does not exist");
    BOOST_TEST(failure(R"("folder")") == "input: \"folder\" is a directory, not a regular file");
    BOOST_TEST(failure(R"("fifo")") == "input: \"fifo\" is not a regular file");
    BOOST_TEST(failure(R"("link")") == "input: \"link\" leads out of the root directory");
    BOOST_TEST(failure(R"("../x")") == "input: \"../x\" leads out of the root directory");
    BOOST_TEST(failure(R"("/etc/passwd")").starts_with("input: \"/etc/passwd\" is absolute"));
    BOOST_TEST(failure(R"("")").starts_with("input: \"\" is empty"));
    BOOST_TEST(failure(R"("folder/file\u0000x")") ==
               "input: \"folder/file\\x00x\" has a NUL in it");
}

BOOST_AUTO_TEST_CASE(without_a_root_every_job_fails)
{
    type_runner rootless(checksum_type());

    auto const ended = rootless.run(R"("file")");

    BOOST_TEST((ended.status.failure == belay::failure::input));
    BOOST_TEST(ended.status.message.find("without --root") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(bytes_that_no_check_has_seen_fail_the_job)
{
    BOOST_TEST(failure("{").starts_with("input: The input is not JSON"));
    BOOST_TEST(failure("{}") == "input: path is missing");
}

BOOST_AUTO_TEST_CASE(a_file_that_is_cut_short_while_it_is_read_fails)
{
    auto const path = directory.write("file", std::string(200'000, 'x'));
    auto const file = open_root(directory.path())->open("file");
    auto const cut = [&](std::uint64_t done) {
        if (done != 0)
            std::filesystem::resize_file(path, done);
    };

    BOOST_CHECK_EXCEPTION(
        (void)digest_of(file, "sha256", cut), belay::job_failure,
        [](belay::job_failure const& failure) {
            return failure.code() == belay::failure::input &&
                   failure.what() == std::string_view("\"file\" was cut short while it was read");
        });
}

BOOST_AUTO_TEST_CASE(a_file_that_grows_while_it_is_read_fails)
{
    for (std::uint64_t const more : {1U, 100'000U}) {
        auto const path = directory.write("file", std::string(100'000, 'x'));
        auto const file = open_root(directory.path())->open("file");
        auto const grow = [&](std::uint64_t done) {
            if (done != 0)
                std::filesystem::resize_file(path, 100'000 + more);
        };

        BOOST_CHECK_EXCEPTION((void)digest_of(file, "sha256", grow), belay::job_failure,
                              [](belay::job_failure const& failure) {
                                  return failure.code() == belay::failure::input &&
                                         failure.what() ==
                                             std::string_view("\"file\" grew while it was read");
                              });
    }
}

BOOST_AUTO_TEST_CASE(the_token_is_looked_at_every_64_kib)
{
    directory.write("file", std::string(200'000, 'x'));
    auto const file = open_root(directory.path())->open("file");
    std::vector<std::uint64_t> looks;

    (void)digest_of(file, "sha256", [&](std::uint64_t done) { looks.push_back(done); });

    BOOST_TEST(looks == (std::vector<std::uint64_t>{0, 65'536, 131'072, 196'608, 200'000}));
}

BOOST_AUTO_TEST_CASE(a_cancel_stops_it_in_the_middle)
{
    // Takes seconds to read, and no room on the disk.
    std::filesystem::resize_file(directory.write("large", ""), std::uintmax_t{64} << 30);

    auto const batch = runner.start(R"("large")");
    type_runner::wait_for_progress(batch);
    batch.cancel();
    auto const ended = type_runner::wait(batch);

    BOOST_TEST((ended.status.disposition == belay::disposition::stopped));
    BOOST_TEST(ended.output == "");
}

BOOST_AUTO_TEST_SUITE_END()
