#include "types/file_input.hpp"
#include "types/root_directory.hpp"

#include <belay/detail/shortage.hpp>
#include <belay/http/types.hpp>

#include <boost/json/serialize.hpp>

#include <zstd.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

namespace belay::http {

namespace {

constexpr std::size_t read_bytes = 64 * 1024;

constexpr std::int64_t level_least = 1;
constexpr std::int64_t level_most = 19; // above, zstd wants memory that only its caller can judge
constexpr std::int64_t level_default = 3;

struct input {
    std::string path;
    std::int64_t level = level_default;
};

read_input<input> read_compress(boost::json::value const& value)
{
    auto const given = read_file_input(value, "level");
    if (!given)
        return given.error();
    auto const* const level = given->member;
    if (level == nullptr)
        return input{given->path};
    if (!level->is_int64() || level->get_int64() < level_least || level->get_int64() > level_most)
        return input_fault("level", "level must be an integer from " +
                                        std::to_string(level_least) + " to " +
                                        std::to_string(level_most) + ", not " + describe(*level));
    return input{given->path, level->get_int64()};
}

checked_input check(boost::json::value const& value)
{
    auto const read = read_compress(value);
    if (!read)
        return read.error();
    return boost::json::serialize(
        boost::json::object{{"path", read->path}, {"level", read->level}});
}

boost::json::object schema()
{
    return file_input_schema("level", {{"type", "integer"},
                                       {"minimum", level_least},
                                       {"maximum", level_most},
                                       {"default", level_default}});
}

/// A zstd frame that bytes are being added to.
class frame {
public:
    frame(std::int64_t level, std::uint64_t size) : context_(ZSTD_createCCtx())
    {
        if (context_ == nullptr)
            throw std::bad_alloc();
        require(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel,
                                       static_cast<int>(level)));
        require(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_checksumFlag, 1));
        require(ZSTD_CCtx_setPledgedSrcSize(context_.get(), size));
    }

    /// Hands what comes of it to `write`.
    template <class Write>
    void add(std::span<std::byte const> bytes, bool is_last, Write const& write)
    {
        ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
        for (bool more = true; more;) {
            ZSTD_outBuffer out{buffer_.data(), buffer_.size(), 0};
            std::size_t const left = require(ZSTD_compressStream2(
                context_.get(), &out, &in, is_last ? ZSTD_e_end : ZSTD_e_continue));
            write(std::string_view(buffer_.data(), out.pos));
            more = is_last ? left != 0 : in.pos != in.size;
        }
    }

private:
    struct free {
        void operator()(ZSTD_CCtx* context) const noexcept { ZSTD_freeCCtx(context); }
    };
    static std::size_t require(std::size_t code)
    {
        if (ZSTD_isError(code))
            throw std::runtime_error("zstd: " + std::string(ZSTD_getErrorName(code)));
        return code;
    }

    std::unique_ptr<ZSTD_CCtx, free> context_;
    std::vector<char> buffer_ = std::vector<char>(ZSTD_CStreamOutSize());
};

std::string run(root_directory const& root, std::string_view bytes, job& job)
{
    auto const input = value_or_fail(read_compress(parse_input(bytes)));
    auto const file =
        detail::when_available(job, [&] { return open_input(job.input_file(), root, input.path); });
    frame frame(input.level, file.size());
    std::vector<std::byte> buffer(read_bytes);
    std::uint64_t in = 0;
    std::uint64_t out = 0;
    auto const write = [&](std::string_view made) {
        out += made.size();
        job.write_output(made);
    };
    while (auto const count = file.read(in, buffer)) {
        job.throw_if_stopped();
        in += count;
        if (in > file.size())
            file.fail("grew while it was read");
        frame.add(std::span(buffer).first(count), false, write);
        job.progress(static_cast<double>(in) / static_cast<double>(file.size()));
    }
    if (in < file.size())
        file.fail("was cut short while it was read");
    frame.add({}, true, write);
    return boost::json::serialize(boost::json::object{{"bytes_in", in}, {"bytes_out", out}});
}

} // namespace

offered_type compress_type(std::shared_ptr<root_directory const> root)
{
    if (root == nullptr)
        root = std::make_shared<root_directory const>();
    auto body = [root = std::move(root)](std::string_view input, job& job) {
        return run(*root, input, job);
    };
    return {job_type{"compress", std::move(body)}, check, schema()};
}

} // namespace belay::http
