#include "message/batch_body.hpp"

#include "message/json_text.hpp"
#include "message/strict_handler.hpp"
#include "message/strict_json.hpp"
#include "message/text.hpp"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/parse_options.hpp>

#include <utility>

namespace belay::http {

namespace {

/// The members of the body.
enum class member { type, batch_name, collection_id, options, inputs, from, select };

constexpr std::size_t options_bytes_max = 64 * 1024;

enum class kind { object, array, string, other, null };

std::optional<member> find_member(std::string_view name) noexcept
{
    if (name == "type")
        return member::type;
    if (name == "batch_name")
        return member::batch_name;
    if (name == "collection_id")
        return member::collection_id;
    if (name == "options")
        return member::options;
    if (name == "inputs")
        return member::inputs;
    if (name == "from")
        return member::from;
    if (name == "select")
        return member::select;
    return std::nullopt;
}

/// What a member must be; empty if it may be of that kind.
std::string_view kind_wanted(member member, kind kind) noexcept
{
    switch (member) {
    case member::type: return kind == kind::string ? "" : "a string";
    case member::batch_name:
    case member::collection_id:
        return kind == kind::string || kind == kind::null ? "" : "a string or null";
    case member::options: return kind == kind::object ? "" : "an object";
    case member::inputs: return kind == kind::array ? "" : "an array";
    case member::from: return kind == kind::string ? "" : "a string";
    case member::select:
        return kind == kind::string || kind == kind::array ? "" : "a string or an array of strings";
    }
    return "";
}

} // namespace

std::optional<std::string> fault_of_name(std::string_view name, std::string_view text,
                                         std::size_t characters_max)
{
    if (count_characters(text) > characters_max)
        return std::string(name) + " must have at most " + std::to_string(characters_max) +
               " characters";
    if (auto const found = find_deceptive(text))
        return std::string(name) + " has " + *found +
               " in it; control characters and those that change the direction of writing can't "
               "stand there";
    return std::nullopt;
}

/// Writes the texts of options and inputs anew while they are parsed: compact, numbers as they
/// came.
class batch_body_parser::handler : public strict_handler {
public:
    handler(std::uint64_t inputs_max, std::size_t input_bytes_max)
        : inputs_max_(inputs_max), input_bytes_max_(input_bytes_max)
    {
    }

    bool on_object_begin(error_code& ec)
    {
        begin_value();
        if (!check_value(kind::object, ec))
            return false;
        path_.open_object();
        write("{");
        return check_size(ec);
    }
    bool on_object_end(std::size_t, error_code& ec)
    {
        path_.close();
        write("}");
        return check_size(ec) && end_value(kind::object, ec);
    }
    bool on_array_begin(error_code& ec)
    {
        begin_value();
        if (!check_value(kind::array, ec))
            return false;
        path_.open_array();
        write("[");
        return check_size(ec);
    }
    bool on_array_end(std::size_t, error_code& ec)
    {
        path_.close();
        write("]");
        return check_size(ec) && end_value(kind::array, ec);
    }

    bool on_key(string_view last_part, std::size_t, error_code& ec)
    {
        if (!finish_key(last_part, ec))
            return false;
        if (path_.depth() == 1)
            return begin_member(ec);
        write(path_.count() == 1 ? "\"" : ",\"");
        append_escaped(text_, path_.name());
        write("\":");
        return check_size(ec);
    }

    bool on_string_part(string_view part, std::size_t, error_code&)
    {
        append_string(part);
        return true;
    }
    bool on_string(string_view last_part, std::size_t, error_code& ec)
    {
        append_string(last_part);
        write("\"");
        return end_scalar(kind::string, ec);
    }

    bool on_number_part(string_view part, error_code&)
    {
        append_plain(part);
        return true;
    }
    bool on_int64(std::int64_t, string_view last_part, error_code& ec)
    {
        append_plain(last_part);
        return end_scalar(kind::other, ec);
    }
    bool on_uint64(std::uint64_t, string_view last_part, error_code& ec)
    {
        append_plain(last_part);
        return end_scalar(kind::other, ec);
    }
    bool on_double(double number, string_view last_part, error_code& ec)
    {
        append_plain(last_part);
        return check_number(number, ec) && end_scalar(kind::other, ec);
    }

    bool on_bool(bool value, error_code& ec)
    {
        append_plain(value ? "true" : "false");
        return end_scalar(kind::other, ec);
    }
    bool on_null(error_code& ec)
    {
        append_plain("null");
        return end_scalar(kind::null, ec);
    }

    batch_body body;
    std::string options; ///< as a tree they take much more
    std::string select;

private:
    [[nodiscard]] bool at_input() const noexcept
    {
        return member_ == member::inputs && path_.depth() == 2;
    }

    void begin_value()
    {
        path_.value();
        if (path_.depth() == 1)
            is_written_ = member_ == member::options || member_ == member::select;
        else if (at_input())
            is_written_ = true;
        else if (path_.depth() > 1 && path_.in_array() && path_.count() > 1)
            write(",");
    }

    /// Whether a value may stand here. Asked when an object or array begins, but when a scalar
    /// ends: a fault of syntax in it comes first, however it was cut.
    bool check_value(kind kind, error_code& ec)
    {
        if (path_.depth() == 0)
            return kind == kind::object || fail("", "The body must be a JSON object", ec);
        if (path_.depth() == 1)
            return check_kind(kind, ec);
        return !at_input() || body.inputs.size() < inputs_max_ || fail_too_many(ec);
    }

    bool end_value(kind kind, error_code& ec)
    {
        if (path_.depth() == 1)
            return end_member(kind, ec);
        if (at_input()) {
            body.inputs.push_back(text_);
            text_.clear();
            is_written_ = false;
        }
        return true;
    }

    bool begin_member(error_code& ec)
    {
        auto const known = find_member(path_.name());
        if (!known)
            return fail(path_.text(),
                        "There is no member " + quoted(path_.name()) +
                            "; known here: type, batch_name, collection_id, options, inputs, "
                            "from, select",
                        ec);
        member_ = *known;
        return true;
    }

    bool end_member(kind kind, error_code& ec)
    {
        auto text = std::exchange(text_, {});
        is_written_ = false;
        switch (member_) {
        case member::type: body.type = std::move(text); return true;
        case member::batch_name:
            return kind == kind::null ||
                   set_text(body.batch_name, std::move(text), batch_name_characters_max, ec);
        case member::collection_id:
            return kind == kind::null ||
                   set_text(body.collection_id, std::move(text), collection_id_characters_max, ec);
        case member::options:
            options = std::move(text);
            return true;
        case member::from: body.from = std::move(text); return true;
        case member::select: select = std::move(text); return true;
        case member::inputs:
            return !body.inputs.empty() || fail("inputs", "inputs must not be empty", ec);
        }
        return true;
    }

    /// Asked where a value or a key ends or begins, as `check_value` is: where a text is cut makes no
    /// difference.
    bool check_size(error_code& ec)
    {
        bool const is_input = member_ == member::inputs;
        std::size_t const most = is_input ? input_bytes_max_ : options_bytes_max;
        if (!is_written_ || text_.size() <= most)
            return true;
        std::string const what = is_input ? "inputs[" + std::to_string(body.inputs.size()) + ']'
                                 : member_ == member::options ? "options"
                                                              : "select";
        return fail(what,
                    what + " is too long; at most " + std::to_string(most) +
                        " bytes of JSON without blanks are accepted",
                    ec);
    }

    bool set_text(std::optional<std::string>& to, std::string text, std::size_t characters_max,
                  error_code& ec)
    {
        if (auto fault = fault_of_name(path_.name(), text, characters_max))
            return fail(path_.text(), std::move(*fault), ec);
        to = std::move(text);
        return true;
    }

    bool check_kind(kind kind, error_code& ec)
    {
        auto const wanted = kind_wanted(member_, kind);
        return wanted.empty() ||
               fail(path_.text(), std::string(path_.name()) + " must be " + std::string(wanted),
                    ec);
    }

    bool fail_too_many(error_code& ec)
    {
        return fail("inputs", "inputs has more than " + std::to_string(inputs_max_) + " elements",
                    ec);
    }

    void append_string(std::string_view part)
    {
        if (!std::exchange(in_scalar_, true)) {
            begin_value();
            write("\"");
        }
        if (is_written_)
            append_escaped(text_, part);
        else
            text_ += part;
    }

    /// Of a number or a word.
    void append_plain(std::string_view part)
    {
        if (!std::exchange(in_scalar_, true))
            begin_value();
        write(part);
    }

    bool end_scalar(kind kind, error_code& ec)
    {
        in_scalar_ = false;
        return check_value(kind, ec) && check_size(ec) && end_value(kind, ec);
    }

    void write(std::string_view text)
    {
        if (is_written_)
            text_ += text;
    }

    std::uint64_t inputs_max_;
    std::size_t input_bytes_max_;
    member member_ = member::type; ///< that the parser is in
    std::string text_;             ///< of it, or of the current input
    bool is_written_ = false;      ///< `text_` is JSON
    bool in_scalar_ = false;       ///< a part of a string or number has been seen
};

struct batch_body_parser::state {
    state(boost::json::parse_options const& options, std::uint64_t inputs_max,
          std::size_t input_bytes_max)
        : parser(options, inputs_max, input_bytes_max)
    {
    }

    boost::json::basic_parser<handler> parser;
    std::uint64_t offset = 0; ///< of the next piece
    std::optional<api_error> error;
};

batch_body_parser::batch_body_parser(std::uint64_t inputs_max, std::size_t input_bytes_max)
{
    boost::json::parse_options options;
    options.max_depth = json_depth_max;
    state_ = std::make_unique<state>(options, inputs_max, input_bytes_max);
}

batch_body_parser::~batch_body_parser() = default;

std::optional<api_error> batch_body_parser::write(std::string_view piece)
{
    if (state_->error || piece.empty())
        return state_->error;
    boost::json::error_code ec;
    auto const parsed = state_->parser.write_some(true, piece.data(), piece.size(), ec);
    state_->offset += parsed;
    if (!ec && parsed < piece.size())
        ec = boost::json::error::extra_data;
    if (ec)
        state_->error = state_->parser.handler().explain(ec, state_->offset);
    return state_->error;
}

std::uint64_t batch_body_parser::bytes_held() const noexcept
{
    return state_->offset + state_->parser.handler().body.inputs.size() * sizeof(std::size_t);
}

std::optional<api_error> batch_body_parser::finish()
{
    if (state_->error)
        return state_->error;
    boost::json::error_code ec;
    state_->parser.write_some(false, nullptr, 0, ec);
    if (ec)
        state_->error = state_->parser.handler().explain(ec, state_->offset);
    else
        state_->error = fault_of_whole();
    return state_->error;
}

/// What is wrong with members beside each other.
std::optional<api_error> batch_body_parser::fault_of_whole()
{
    auto& handler = state_->parser.handler();
    batch_body& body = handler.body;
    if (!body.from && !handler.select.empty())
        return invalid_request("select", "select goes with from only");
    if (body.from && !body.inputs.empty())
        return invalid_request("inputs",
                               "inputs and from can't both be given: the inputs are those "
                               "of the other batch");
    if (!body.from)
        return body.inputs.empty() ? std::optional(invalid_request("inputs", "inputs is missing"))
                                   : std::nullopt;
    if (handler.select.empty())
        return std::nullopt;
    auto given = boost::json::parse(handler.select);
    if (given.is_string())
        given = boost::json::array{std::move(given)};
    if (given.as_array().empty())
        return invalid_request("select", "select must not be empty");
    for (auto const& word : given.as_array()) {
        if (!word.is_string())
            return invalid_request("select[" + std::to_string(body.select.size()) + ']',
                                   "select must be a string or an array of strings");
        body.select.emplace_back(word.as_string());
    }
    return std::nullopt;
}

batch_body batch_body_parser::release()
{
    auto& handler = state_->parser.handler();
    if (!handler.options.empty())
        handler.body.options = std::move(boost::json::parse(handler.options).as_object());
    return std::move(handler.body);
}

} // namespace belay::http
