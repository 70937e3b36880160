// How a body is cut makes no difference, and its parts are what Boost.JSON finds in it. The first
// three bytes choose the cuts.
#include "message/batch_body.hpp"

#include "require.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace {

constexpr std::uint64_t inputs_max = 64;
constexpr std::size_t input_bytes_max = 64;

struct outcome {
    std::string error;
    belay::http::batch_body body;
};

/// The byte that a message tells depends on the cuts.
std::string without_byte(std::string message)
{
    auto const begin = message.find("near byte ");
    return begin == std::string::npos ? message
                                      : message.erase(begin, message.find(':', begin) - begin);
}

outcome finish(belay::http::batch_body_parser& parser)
{
    outcome out;
    if (auto const error = parser.finish()) {
        require(error->status == 400 && error->code == "invalid_request");
        out.error = without_byte(error->message) + boost::json::serialize(error->details);
    } else {
        out.body = parser.release();
    }
    return out;
}

outcome in_one_piece(std::string_view text)
{
    belay::http::batch_body_parser parser(inputs_max, input_bytes_max);
    (void)parser.write(text);
    return finish(parser);
}

outcome in_pieces(std::string_view text, std::string_view cuts)
{
    belay::http::batch_body_parser parser(inputs_max, input_bytes_max);
    for (std::size_t index = 0; !text.empty(); ++index) {
        auto const length = static_cast<unsigned char>(cuts[index % cuts.size()]) % 32U;
        auto const piece = text.substr(0, length + (index % cuts.size() == 0 ? 1 : 0));
        (void)parser.write(piece);
        text.remove_prefix(piece.size());
    }
    return finish(parser);
}

void compare(outcome const& one, outcome const& other)
{
    require(one.error == other.error);
    require(one.body.type == other.body.type);
    require(one.body.batch_name == other.body.batch_name);
    require(one.body.collection_id == other.body.collection_id);
    require(one.body.options == other.body.options);
    require(one.body.from == other.body.from);
    require(one.body.select == other.body.select);
    require(one.body.inputs.size() == other.body.inputs.size());
    for (std::uint64_t index = 0; index < one.body.inputs.size(); ++index)
        require(one.body.inputs[index] == other.body.inputs[index]);
}

/// Boost.JSON rounds the same number in one way or another, by how much text follows it.
bool are_alike(boost::json::value const& one, boost::json::value const& other)
{
    if (one.is_double() && other.is_double()) {
        constexpr double rounded = 4 * std::numeric_limits<double>::epsilon();
        double const number = one.get_double();
        return std::abs(number - other.get_double()) <= std::abs(number) * rounded;
    }
    if (one.is_array() && other.is_array())
        return std::ranges::equal(one.get_array(), other.get_array(), are_alike);
    if (!one.is_object() || !other.is_object())
        return one == other;
    return std::ranges::equal(one.get_object(), other.get_object(),
                              [](auto const& a, auto const& b) {
                                  return a.key() == b.key() && are_alike(a.value(), b.value());
                              });
}

void compare_with_tree(belay::http::batch_body const& body, boost::json::object const& tree)
{
    require(body.inputs.empty() == body.from.has_value());
    if (body.from) {
        require(tree.at("from").as_string() == *body.from);
    } else {
        auto const& inputs = tree.at("inputs").as_array();
        require(inputs.size() == body.inputs.size());
        for (std::size_t index = 0; index < inputs.size(); ++index)
            require(are_alike(boost::json::parse(body.inputs[index]), inputs[index]));
    }
    if (auto const* const options = tree.if_contains("options"))
        require(are_alike(*options, body.options));
    if (auto const* const type = tree.if_contains("type"))
        require(type->as_string() == body.type.value());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    if (size < 3)
        return 0;
    auto const cuts = as_text(data, 3);
    auto const text = as_text(data + 3, size - 3);

    auto const whole = in_one_piece(text);

    compare(whole, in_pieces(text, cuts));
    if (whole.error.empty())
        compare_with_tree(whole.body, boost::json::parse(text).as_object());
    return 0;
}
