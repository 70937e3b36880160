#include "server/exchange.hpp"

namespace belay::http {

std::string joined(boost::beast::http::fields const& fields, std::string_view name)
{
    std::string text;
    auto const [begin, end] = fields.equal_range(name);
    for (auto field = begin; field != end; ++field)
        text.append(text.empty() ? "" : ", ").append(field->value());
    return text;
}

} // namespace belay::http
