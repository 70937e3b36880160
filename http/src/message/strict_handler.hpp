// What the handlers of our streaming JSON parsers have in common.
#ifndef BELAY_HTTP_MESSAGE_STRICT_HANDLER_HPP
#define BELAY_HTTP_MESSAGE_STRICT_HANDLER_HPP

#include "message/api_error.hpp"
#include "message/json_path.hpp"

#include <boost/json/error.hpp>
#include <boost/json/string_view.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace belay::http {

/// A base for handlers of `boost::json::basic_parser`: follows the path, puts the pieces of keys
/// together, refuses doubled members. Sizes are bounded by the size of the body.
class strict_handler {
public:
    static constexpr auto max_array_size = static_cast<std::size_t>(-1);
    static constexpr auto max_object_size = static_cast<std::size_t>(-1);
    static constexpr auto max_string_size = static_cast<std::size_t>(-1);
    static constexpr auto max_key_size = static_cast<std::size_t>(-1);

    using error_code = boost::json::error_code;
    using string_view = boost::json::string_view;

    bool on_document_begin(error_code&) { return true; }
    bool on_document_end(error_code&) { return true; }
    bool on_comment_part(string_view, error_code&) { return true; }
    bool on_comment(string_view, error_code&) { return true; }

    bool on_key_part(string_view part, std::size_t, error_code&)
    {
        key_ += part;
        return true;
    }

    /// The error to answer with after a parser stopped with `ec` at byte `offset`. The byte is told
    /// for faults of syntax only: where the parser stops at others depends on how the text was cut.
    [[nodiscard]] api_error explain(error_code ec, std::uint64_t offset) const;

protected:
    /// Takes a key into the path; false if it is refused.
    bool finish_key(string_view last_part, error_code& ec);

    /// False if the number was too large for a double.
    bool check_number(double number, error_code& ec);

    /// Stops the parser. Returns false.
    bool fail(std::string_view field, std::string message, error_code& ec);

    json_path path_;

private:
    struct fault {
        std::string field;
        std::string message;
    };

    std::string key_; ///< the parts so far
    std::optional<fault> fault_;
};

} // namespace belay::http

#endif
