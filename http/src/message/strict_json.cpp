#include "message/strict_json.hpp"

#include "message/strict_handler.hpp"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/parse_options.hpp>
#include <boost/json/value_stack.hpp>

#include <cstdint>

namespace belay::http {

namespace {

/// Builds the value.
class value_handler : public strict_handler {
public:
    value_handler() { stack_.reset(); }

    bool on_object_begin(error_code&)
    {
        path_.value();
        path_.open_object();
        return true;
    }
    bool on_object_end(std::size_t size, error_code&)
    {
        path_.close();
        stack_.push_object(size);
        return true;
    }
    bool on_array_begin(error_code&)
    {
        path_.value();
        path_.open_array();
        return true;
    }
    bool on_array_end(std::size_t size, error_code&)
    {
        path_.close();
        stack_.push_array(size);
        return true;
    }
    bool on_key(string_view last_part, std::size_t, error_code& ec)
    {
        if (!finish_key(last_part, ec))
            return false;
        stack_.push_key(path_.name());
        return true;
    }
    bool on_string_part(string_view part, std::size_t, error_code&)
    {
        stack_.push_chars(part);
        return true;
    }
    bool on_string(string_view last_part, std::size_t, error_code&)
    {
        path_.value();
        stack_.push_string(last_part);
        return true;
    }
    bool on_number_part(string_view, error_code&) { return true; }
    bool on_int64(std::int64_t number, string_view, error_code&)
    {
        path_.value();
        stack_.push_int64(number);
        return true;
    }
    bool on_uint64(std::uint64_t number, string_view, error_code&)
    {
        path_.value();
        stack_.push_uint64(number);
        return true;
    }
    bool on_double(double number, string_view, error_code& ec)
    {
        path_.value();
        stack_.push_double(number);
        return check_number(number, ec);
    }
    bool on_bool(bool value, error_code&)
    {
        path_.value();
        stack_.push_bool(value);
        return true;
    }
    bool on_null(error_code&)
    {
        path_.value();
        stack_.push_null();
        return true;
    }

    boost::json::value release() { return stack_.release(); }

private:
    boost::json::value_stack stack_;
};

} // namespace

result<boost::json::value> parse_strict(std::string_view text, std::size_t depth_max)
{
    boost::json::parse_options options;
    options.max_depth = depth_max;
    boost::json::basic_parser<value_handler> parser(options);
    boost::json::error_code ec;
    auto const parsed = parser.write_some(false, text.data(), text.size(), ec);
    if (!ec && parsed < text.size())
        ec = boost::json::error::extra_data;
    if (ec)
        return parser.handler().explain(ec, parsed);
    return parser.handler().release();
}

} // namespace belay::http
