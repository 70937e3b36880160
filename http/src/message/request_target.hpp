// The target of a request, taken apart: what is asked for, and the query.
#ifndef BELAY_HTTP_MESSAGE_REQUEST_TARGET_HPP
#define BELAY_HTTP_MESSAGE_REQUEST_TARGET_HPP

#include "message/api_error.hpp"

#include <belay/clock.hpp>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace belay::http {

/// The parameters of a query, decoded; `+` stands for a space. The getters look at the first of a
/// name; `only` makes sure that there is no second. Their errors are 400 with the parameter as
/// `details.field`, and say what was given and what would be right.
class query {
public:
    /// A parameter without `=` has an empty value.
    void add(std::string name, std::string value);

    /// The error of a parameter that is none of `names`, or that is there twice.
    [[nodiscard]] std::optional<api_error> only(std::span<std::string_view const> names) const;
    [[nodiscard]] std::optional<api_error>
    only(std::initializer_list<std::string_view> names) const
    {
        return only(std::span(names.begin(), names.size()));
    }

    /// A decimal integer, `min` … `max`.
    [[nodiscard]] result<std::int64_t> integer(std::string_view name, std::int64_t min,
                                               std::int64_t max, std::int64_t otherwise) const;

    /// `true` or `false`.
    [[nodiscard]] result<bool> boolean(std::string_view name, bool otherwise) const;

    /// The value as it is. Lives as long as this object is not changed.
    [[nodiscard]] std::optional<std::string_view> text(std::string_view name) const;

    /// A time as `parse_timestamp` reads it.
    [[nodiscard]] result<std::optional<time_point>> timestamp(std::string_view name) const;

private:
    std::vector<std::pair<std::string, std::string>> parameters_;
};

/// How many bytes a target may have. RFC 9112, 3, wants at least 8000 for the whole line that it
/// stands in.
inline constexpr std::size_t target_bytes_max = 8 * 1024;

/// A request target in origin form. `/` has no segments; `/v1/` has two, the second empty. Segments
/// are decoded one by one, so one may hold a `/`; `.` and `..` mean nothing.
struct request_target {
    std::vector<std::string> segments;
    http::query query;
};

/// 414 for a target that is too long; 400 for what is not in origin form, for percent-encoding that
/// is cut off, and for a query that decodes to a NUL or to something that is not UTF-8; 404 for such
/// a path. Takes time linear in the size.
[[nodiscard]] result<request_target> parse_target(std::string_view target);

/// Where a request goes to.
struct addressee {
    std::string host;   ///< with its port, if it has one
    std::string target; ///< in origin form, or `*`
};

/// Takes apart a target in absolute form, whose host goes before the Host field (RFC 9112, 3.2.2).
/// 400 for one that is neither that nor in origin form nor `*`.
[[nodiscard]] result<addressee> take_host(std::string_view target, std::string_view host_field);

} // namespace belay::http

#endif
