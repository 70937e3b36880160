// A request comes to the same however its bytes are split, and what is read of it came in.
// As its library has it, this has Beast's parser from its headers.
#undef BOOST_BEAST_SEPARATE_COMPILATION

#include "request_feed.hpp"

#include "require.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using belay::test::request_feed;
using belay::test::request_outcome;

constexpr std::uint64_t body_bytes_max = 200;

/// In parts of these sizes by turns.
std::vector<std::string_view> split(std::string_view text, std::size_t one, std::size_t other)
{
    std::vector<std::string_view> parts;
    for (bool is_one = true; !text.empty(); is_one = !is_one) {
        auto const size = std::min(is_one ? one : other, text.size());
        parts.push_back(text.substr(0, size));
        text.remove_prefix(size);
    }
    return parts;
}

request_outcome read(std::vector<std::string_view> parts, std::size_t room_bytes)
{
    return request_feed(std::move(parts), room_bytes, body_bytes_max).read();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    // The first byte says how the rest is split.
    if (size == 0)
        return 0;
    std::size_t const one = 1 + data[0] % 16;
    std::size_t const other = 1 + data[0] / 16;
    auto const text = as_text(data + 1, size - 1);

    auto const whole = read({text}, 16);
    require(whole.refused == 0 || whole.refused == 400 || whole.refused == 413 ||
            whole.refused == 431 || whole.refused == 501);
    require(whole.body.size() <= body_bytes_max || whole.refused == 413);
    require(whole.body.size() + whole.left.size() <= text.size());
    require(!whole.is_done || text.ends_with(whole.left));

    auto const parts = read(split(text, one, other), 1 + data[0] % 3);
    // Where two things are wrong, which is found first depends on what has come. And what may be the
    // begin of the last chunk is not looked at.
    if (!(parts.refused == 0 && !parts.is_done && parts.left.starts_with('0')))
        require((parts.refused == 0) == (whole.refused == 0));
    require(parts.is_done == whole.is_done);
    if (whole.is_done)
        require(parts == whole);
    return 0;
}
