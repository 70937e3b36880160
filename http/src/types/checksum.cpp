#include "types/checksum.hpp"

#include "message/text.hpp"
#include "types/file_input.hpp"

#include <belay/detail/shortage.hpp>
#include <belay/http/types.hpp>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <memory>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

namespace belay::http {

namespace {

constexpr std::size_t read_bytes = 64 * 1024;

struct algorithm {
    std::string_view name;
    EVP_MD const* (*make)();
};

/// The first is the default.
constexpr algorithm algorithms[] = {
    {"sha256", EVP_sha256},         {"sha224", EVP_sha224},     {"sha384", EVP_sha384},
    {"sha512", EVP_sha512},         {"sha3-256", EVP_sha3_256}, {"sha3-512", EVP_sha3_512},
    {"blake2b512", EVP_blake2b512}, {"sha1", EVP_sha1},         {"md5", EVP_md5},
};

algorithm const* find_algorithm(std::string_view name)
{
    auto const found = std::ranges::find(algorithms, name, &algorithm::name);
    return found == std::end(algorithms) ? nullptr : found;
}

boost::json::array algorithm_names()
{
    boost::json::array names;
    for (auto const& known : algorithms)
        names.emplace_back(known.name);
    return names;
}

/// A digest that bytes are being added to.
class digest {
public:
    explicit digest(algorithm const& algorithm) : context_(EVP_MD_CTX_new())
    {
        if (context_ == nullptr)
            throw std::bad_alloc();
        // Fails where a policy of the system (FIPS) forbids the algorithm.
        require(EVP_DigestInit_ex(context_.get(), algorithm.make(), nullptr));
    }

    void update(std::span<std::byte const> bytes)
    {
        require(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()));
    }

    /// Lower-case hex; ends it.
    std::string finish()
    {
        std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
        unsigned size = 0;
        require(EVP_DigestFinal_ex(context_.get(), bytes.data(), &size));
        return hex(std::span(bytes).first(size));
    }

private:
    struct free {
        void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
    };

    static void require(int good)
    {
        if (good != 1)
            throw std::runtime_error("OpenSSL refuses to compute this digest");
    }

    static std::string hex(std::span<unsigned char const> bytes)
    {
        constexpr std::string_view digits = "0123456789abcdef";
        std::string out;
        for (unsigned const byte : bytes) {
            out += digits[byte >> 4];
            out += digits[byte & 15];
        }
        return out;
    }

    std::unique_ptr<EVP_MD_CTX, free> context_;
};

struct input {
    std::string path;
    algorithm const* how = algorithms;
};

read_input<input> read_checksum(boost::json::value const& value)
{
    auto const given = read_file_input(value, "algorithm");
    if (!given)
        return given.error();
    auto const* const name = given->member;
    if (name == nullptr)
        return input{given->path};
    auto const* const how = name->is_string() ? find_algorithm(name->get_string()) : nullptr;
    if (how == nullptr)
        return input_fault("algorithm", "algorithm must be one of " +
                                            boost::json::serialize(algorithm_names()) + ", not " +
                                            describe(*name));
    return input{given->path, how};
}

checked_input check(boost::json::value const& value)
{
    auto const read = read_checksum(value);
    if (!read)
        return read.error();
    return boost::json::serialize(
        boost::json::object{{"path", read->path}, {"algorithm", read->how->name}});
}

boost::json::object schema()
{
    return file_input_schema("algorithm",
                             {{"enum", algorithm_names()}, {"default", algorithms[0].name}});
}

std::string run(root_directory const& root, std::string_view bytes, job& job)
{
    auto const input = value_or_fail(read_checksum(parse_input(bytes)));
    auto const file =
        detail::when_available(job, [&] { return open_input(job.input_file(), root, input.path); });
    auto const before_read = [&](std::uint64_t done) {
        job.throw_if_stopped();
        if (file.size() != 0)
            job.progress(static_cast<double>(done) / static_cast<double>(file.size()));
    };
    auto const digest = digest_of(file, input.how->name, before_read);
    return boost::json::serialize(boost::json::object{
        {"algorithm", input.how->name}, {"digest", digest}, {"bytes", file.size()}});
}

} // namespace

std::string digest_of(input_file const& file, std::string_view algorithm,
                      std::function<void(std::uint64_t)> const& before_read)
{
    auto const* const how = find_algorithm(algorithm);
    if (how == nullptr)
        throw std::invalid_argument("no such algorithm: " + shown(algorithm));
    digest sum(*how);
    std::vector<std::byte> buffer(read_bytes);
    std::uint64_t done = 0;
    while (true) {
        before_read(done);
        auto const count = file.read(done, buffer);
        if (count == 0)
            break;
        done += count;
        if (done > file.size())
            file.fail("grew while it was read");
        sum.update(std::span(buffer).first(count));
    }
    if (done < file.size())
        file.fail("was cut short while it was read");
    return sum.finish();
}

offered_type checksum_type(std::shared_ptr<root_directory const> root)
{
    if (root == nullptr)
        root = std::make_shared<root_directory const>();
    auto body = [root = std::move(root)](std::string_view input, job& job) {
        return run(*root, input, job);
    };
    return {job_type{"checksum", std::move(body)}, check, schema()};
}

} // namespace belay::http
