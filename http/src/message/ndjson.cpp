#include "message/ndjson.hpp"

#include "message/strict_json.hpp"

#include <algorithm>
#include <utility>

namespace belay::http {

void ndjson_reader::add(std::string_view piece)
{
    text_.erase(0, begin_);
    scanned_ -= begin_;
    begin_ = 0;
    text_ += piece;
}

result<std::optional<boost::json::value>> ndjson_reader::next()
{
    std::size_t const feed = text_.find('\n', scanned_);
    bool const whole = feed != std::string::npos;
    scanned_ = whole ? feed + 1 : text_.size();
    std::string_view text(text_.data() + begin_, (whole ? feed : text_.size()) - begin_);
    if (!whole) {
        // One byte more may be the CR of its end.
        if (text.size() > line_bytes_max_ + 1) {
            ++line_;
            return too_long();
        }
        if (!ended_ || text.empty())
            return std::optional<boost::json::value>();
    }
    if (whole && text.ends_with('\r'))
        text.remove_suffix(1);
    begin_ = scanned_;
    ++line_;
    line_bytes_ = text.size();
    if (text.size() > line_bytes_max_)
        return too_long();
    auto value = parse(text);
    if (!value)
        return in_line(line_, value.error());
    return std::optional(std::move(*value));
}

result<boost::json::value> ndjson_reader::parse(std::string_view text) const
{
    if (text.find_first_not_of(" \t\r") == std::string_view::npos)
        return invalid_request({}, "The line is empty; each must be the JSON of one input");
    return parse_strict(text);
}

api_error ndjson_reader::too_long() const
{
    return in_line(line_, invalid_request({}, "The line is too long; at most " +
                                                  std::to_string(line_bytes_max_) +
                                                  " bytes are accepted"));
}

api_error in_line(std::uint64_t line, api_error error)
{
    error.message = "Line " + std::to_string(line) + ": " + error.message;
    error.details["line"] = line;
    return error;
}

} // namespace belay::http
