#include "resources/upload_form.hpp"

#include "temporary_directory.hpp"

#include <belay/engine.hpp>
#include <belay/store.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace http = belay::http;
using http::upload_form;

namespace {

struct part {
    std::string name;
    std::optional<std::string> filename;
    std::string bytes;
};

std::string body_of(std::vector<part> const& parts, std::string const& boundary = "b")
{
    std::string body;
    for (auto const& [name, filename, bytes] : parts) {
        body += "--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + name + '"';
        if (filename)
            body += "; filename=\"" + *filename + '"';
        body += "\r\n\r\n" + bytes + "\r\n";
    }
    return body + "--" + boundary + "--\r\n";
}

struct fixture {
    belay::test::temporary_directory directory;
    belay::engine engine{{.workers = 1, .store = belay::open_store(directory.path())}};
    std::shared_ptr<http::upload_quota> const quota = std::make_shared<http::upload_quota>(
        1000, [](std::string const&) { return std::uint64_t{0}; });

    [[nodiscard]] upload_form form(std::string boundary = "b", bool is_kept = true)
    {
        upload_form::setup setup{.boundary = std::move(boundary),
                                 .files_max = 3,
                                 .bytes_max = 900,
                                 .input_bytes_max = 20,
                                 .names_bytes_max = 100,
                                 .is_compared = true};
        if (is_kept) {
            setup.make = [this] { return engine.make_upload(); };
            setup.quota = quota->begin("ann");
            setup.over_quota = [] { return http::api_error(413, "payload_too_large", "owner"); };
        }
        return upload_form(std::move(setup));
    }

    /// Hands it a body piece by piece, as a request does.
    static void give(upload_form& form, std::string_view body, std::size_t piece)
    {
        for (; !body.empty(); body.remove_prefix(std::min(piece, body.size()))) {
            form.add(body.substr(0, piece));
            while (form.wants_work())
                form.work();
        }
        form.finish();
        while (form.wants_work())
            form.work();
    }

    /// `status field` of what is refused.
    std::string refusal(std::vector<part> const& parts)
    {
        auto read = form();
        give(read, body_of(parts), 16 * 1024);
        auto const fault = read.fault();
        if (!fault)
            return "none";
        auto const* const field = fault->details.if_contains("field");
        return std::to_string(fault->status) +
               (field == nullptr ? "" : ' ' + std::string(field->as_string()));
    }

    std::string digest_of(std::vector<part> const& parts, std::string const& boundary = "b",
                          bool is_kept = false)
    {
        auto read = form(boundary, is_kept);
        give(read, body_of(parts, boundary), 7);
        BOOST_TEST(!read.fault().has_value());
        return read.digest();
    }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(upload_form_test, fixture)

BOOST_AUTO_TEST_CASE(files_go_to_the_disk_and_fields_are_remembered)
{
    auto const body = body_of({{"file", "a", "one"},
                               {"type", {}, "checksum"},
                               {"file", {}, "twos"},
                               {"input", {}, "{}"},
                               {"weight", {}, "7"},
                               {"file", "", ""}});
    for (std::size_t const piece : {std::size_t{1}, std::size_t{10}, body.size()}) {
        auto read = form();
        give(read, body, piece);

        BOOST_TEST(!read.fault().has_value());
        BOOST_TEST(read.files() == 3U);
        BOOST_TEST(read.name_of(0) == "a");
        BOOST_TEST(read.name_of(1) == "file-1");
        BOOST_TEST(read.name_of(2) == "file-2");
        BOOST_TEST(*read.field("type") == "checksum");
        BOOST_TEST(*read.field("input") == "{}");
        BOOST_TEST(*read.field("weight") == "7");
        BOOST_TEST((read.field("batch_name") == nullptr));
        auto const files = read.release();
        BOOST_TEST(files.files() == 3U);
        BOOST_TEST(files.size() == 7U);
    }
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_named)
{
    part const file{"file", "a", "x"};
    BOOST_TEST(refusal({file, {"type", {}, "t"}}) == "none");
    BOOST_TEST(refusal({{"files", "a", "x"}}) == "400 files");
    BOOST_TEST(refusal({{"type", {}, "a"}, {"type", {}, "a"}}) == "400 type");
    BOOST_TEST(refusal({file, file, file}) == "none");
    BOOST_TEST(refusal({file, file, file, file}) == "400 file");
    BOOST_TEST(refusal({{"input", {}, std::string(20, 'x')}}) == "none");
    BOOST_TEST(refusal({{"input", {}, std::string(21, 'x')}}) == "400 input");
    BOOST_TEST(refusal({{"type", {}, std::string(5000, 'x')}}) == "400 type");
    BOOST_TEST(refusal({{"type", {}, "\xff"}}) == "400 type");
    BOOST_TEST(refusal({file, {"file", "b", std::string(899, 'x')}}) == "none");
    BOOST_TEST(refusal({file, {"file", "b", std::string(900, 'x')}}) == "413 file[1]");
    BOOST_TEST(refusal({file, {"file", std::string(100 - 8 - 1 - 8, 'b'), "x"}}) == "none");
    BOOST_TEST(refusal({file, {"file", std::string(100 - 8 - 1 - 7, 'b'), "x"}}) == "413 file");
}

BOOST_AUTO_TEST_CASE(an_owner_may_have_so_much)
{
    auto read = form();
    auto const other = quota->begin("ann");
    BOOST_TEST(other->grow(1000 - 32 - 16 - 2));
    give(read, body_of({{"file", "a", "xy"}}), 100);
    BOOST_TEST(!read.fault().has_value());

    BOOST_TEST(refusal({{"file", "a", ""}}) == "413");
}

BOOST_AUTO_TEST_CASE(parts_are_compared_not_their_boundary)
{
    std::vector<part> const parts{{"file", "a", "one"}, {"type", {}, "t"}, {"file", "b", "two"}};
    auto const digest = digest_of(parts);

    BOOST_TEST((digest_of(parts, "other") == digest));
    BOOST_TEST((digest_of(parts, "b", true) == digest), "whether it is kept or not");
    for (auto const& changed :
         std::vector<std::vector<part>>{{parts[0], parts[1]},
                                        {parts[1], parts[0], parts[2]},
                                        {{"file", "a", "onet"}, parts[1], {"file", "b", "wo"}},
                                        {{"file", "ao", "ne"}, parts[1], parts[2]},
                                        {{"file", "c", "one"}, parts[1], parts[2]},
                                        {parts[0], {"type", {}, "u"}, parts[2]}})
        BOOST_TEST((digest_of(changed) != digest));
}

BOOST_AUTO_TEST_CASE(one_that_is_only_compared_keeps_nothing)
{
    (void)digest_of({{"file", "a", std::string(800, 'x')}});
    BOOST_TEST(!std::filesystem::exists(directory.path() / "outputs"));
    BOOST_TEST(quota->held("ann") == 0U);
}

BOOST_AUTO_TEST_CASE(many_files_are_worked_up_by_turns)
{
    constexpr std::size_t count = 20'000;
    upload_form read({.boundary = "b",
                      .files_max = count,
                      .bytes_max = 900,
                      .input_bytes_max = 20,
                      .names_bytes_max = count * 9,
                      .is_compared = true});
    read.add(body_of(std::vector<part>(count, {"file", "a", ""})));
    read.finish();
    std::size_t turns = 0;
    for (; read.wants_work(); ++turns)
        read.work();

    BOOST_TEST(!read.fault().has_value());
    BOOST_TEST(read.files() == count);
    BOOST_TEST(turns > 1U);
}

BOOST_AUTO_TEST_CASE(it_is_worked_up_by_large_pieces)
{
    auto read = form();
    read.add(std::string(64 * 1024 - 1, 'x'));
    BOOST_TEST(!read.wants_work());
    read.add("x");
    BOOST_TEST(read.wants_work());
    BOOST_TEST(read.bytes_held() >= 64U * 1024);
}

BOOST_AUTO_TEST_SUITE_END()
