// How a body of lines is cut makes no difference, and each line is what the strict parser makes of
// it alone. The first three bytes choose the cuts.
#include "message/ndjson.hpp"
#include "message/strict_json.hpp"

#include "require.hpp"

#include <boost/json/serialize.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::size_t line_bytes_max = 64;

struct outcome {
    std::vector<std::string> values;
    std::string error;
    std::uint64_t line = 0;
    bool operator==(outcome const&) const = default;
};

bool drain(belay::http::ndjson_reader& reader, outcome& into)
{
    while (true) {
        auto const value = reader.next();
        into.line = reader.line();
        if (!value) {
            require(value.error().status == 400 && value.error().code == "invalid_request");
            require(value.error().details.at("line") == reader.line());
            into.error = value.error().message;
            return false;
        }
        if (!*value)
            return true;
        into.values.push_back(boost::json::serialize(**value));
        require(reader.line() == into.values.size());
    }
}

outcome in_pieces(std::string_view text, std::string_view cuts)
{
    belay::http::ndjson_reader reader(line_bytes_max);
    outcome out;
    for (std::size_t index = 0; !text.empty(); ++index) {
        auto const length =
            cuts.empty() ? text.size()
                         : static_cast<unsigned char>(cuts[index % cuts.size()]) % 32U +
                               (index % cuts.size() == 0 ? 1U : 0U);
        auto const piece = text.substr(0, length);
        reader.add(piece);
        if (!drain(reader, out))
            return out;
        text.remove_prefix(piece.size());
    }
    reader.finish();
    drain(reader, out);
    return out;
}

void compare_with_lines(outcome const& found, std::string_view text)
{
    for (auto const& value : found.values) {
        auto const end = text.find('\n');
        auto line = text.substr(0, end);
        text.remove_prefix(end == text.npos ? text.size() : end + 1);
        if (end != std::string_view::npos && line.ends_with('\r'))
            line.remove_suffix(1);
        require(line.size() <= line_bytes_max);
        auto const alone = belay::http::parse_strict(line);
        require(alone && boost::json::serialize(*alone) == value);
    }
    require(!found.error.empty() || text.empty());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    if (size < 3)
        return 0;
    auto const cuts = as_text(data, 3);
    auto const text = as_text(data + 3, size - 3);

    auto const whole = in_pieces(text, {});

    require(in_pieces(text, cuts) == whole);
    compare_with_lines(whole, text);
    return 0;
}
