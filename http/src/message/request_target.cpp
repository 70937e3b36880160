#include "message/request_target.hpp"

#include "message/text.hpp"
#include "message/timestamps.hpp"

#include <boost/url/encoding_opts.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <algorithm>
#include <charconv>
#include <system_error>

namespace belay::http {

namespace {

/// Nothing if the decoded text is not fit to be handed on.
std::optional<std::string> decode(boost::urls::pct_string_view encoded, bool space_as_plus)
{
    boost::urls::encoding_opts options;
    options.space_as_plus = space_as_plus;
    auto text = encoded.decode(options);
    if (text.find('\0') != std::string::npos || !is_utf8(text))
        return std::nullopt;
    return text;
}

api_error malformed(std::string_view what, std::string_view given)
{
    return invalid_request("", std::string(what) + ": " + quoted(given));
}

api_error wrong_value(std::string_view name, std::string_view right, std::string_view given)
{
    return invalid_request(shown(name), shown(name) + " must be " + std::string(right) + ", not " +
                                            quoted(given));
}

/// More than any path here has, and any query.
constexpr std::size_t segments_max = 16;
constexpr std::size_t parameters_max = 64;

/// Not with Boost.URL's segments, which leave out a leading `.`.
std::optional<api_error> split_path(boost::urls::pct_string_view path,
                                    std::vector<std::string>& segments)
{
    std::string_view rest = path;
    if (rest == "/")
        return std::nullopt;
    while (!rest.empty()) {
        rest.remove_prefix(1);
        auto const segment = rest.substr(0, rest.find('/'));
        auto text = decode(boost::urls::make_pct_string_view(segment).value(), false);
        if (!text || segments.size() == segments_max)
            return not_found("There is nothing at " + quoted(segment));
        segments.push_back(std::move(*text));
        rest.remove_prefix(segment.size());
    }
    return std::nullopt;
}

std::string list(std::span<std::string_view const> names)
{
    std::string out;
    for (auto const name : names) {
        out += out.empty() ? "" : ", ";
        out += name;
    }
    return out.empty() ? "none" : out;
}

} // namespace

void query::add(std::string name, std::string value)
{
    parameters_.emplace_back(std::move(name), std::move(value));
}

std::optional<api_error> query::only(std::span<std::string_view const> names) const
{
    std::vector<std::string_view> seen;
    for (auto const& [name, value] : parameters_) {
        if (std::ranges::find(names, std::string_view(name)) == names.end())
            return invalid_request(shown(name), "There is no parameter " + quoted(name) +
                                                    "; known here: " + list(names));
        // Short, for it holds known names only, each of them once.
        if (std::ranges::find(seen, std::string_view(name)) != seen.end())
            return invalid_request(name, "The parameter " + name + " is given twice");
        seen.push_back(name);
    }
    return std::nullopt;
}

result<std::int64_t> query::integer(std::string_view name, std::int64_t min, std::int64_t max,
                                    std::int64_t otherwise) const
{
    auto const given = text(name);
    if (!given)
        return otherwise;
    std::int64_t value = 0;
    auto const end = given->data() + given->size();
    auto const [stop, error] = std::from_chars(given->data(), end, value);
    if (error != std::errc{} || stop != end || value < min || value > max)
        return wrong_value(
            name, "an integer from " + std::to_string(min) + " to " + std::to_string(max), *given);
    return value;
}

result<bool> query::boolean(std::string_view name, bool otherwise) const
{
    auto const given = text(name);
    if (!given)
        return otherwise;
    if (*given != "true" && *given != "false")
        return wrong_value(name, "true or false", *given);
    return *given == "true";
}

std::optional<std::string_view> query::text(std::string_view name) const
{
    auto const found =
        std::ranges::find(parameters_, name, &std::pair<std::string, std::string>::first);
    if (found == parameters_.end())
        return std::nullopt;
    return found->second;
}

result<std::optional<time_point>> query::timestamp(std::string_view name) const
{
    auto const given = text(name);
    if (!given)
        return std::optional<time_point>();
    auto const value = parse_timestamp(*given);
    if (!value)
        return wrong_value(
            name, "a time like 2024-12-18T12:30:00Z (the + of an offset is written %2B)", *given);
    return value;
}

result<request_target> parse_target(std::string_view target)
{
    if (target.size() > target_bytes_max)
        return uri_too_long(target_bytes_max);
    auto const url = boost::urls::parse_origin_form(target);
    if (!url)
        return malformed("The request target is not a path with an optional query", target);
    request_target parsed;
    if (auto error = split_path(url->encoded_path(), parsed.segments))
        return *std::move(error);
    if (url->encoded_params().size() > parameters_max)
        return invalid_request({}, "The query has more than " + std::to_string(parameters_max) +
                                       " parameters");
    for (auto const& parameter : url->encoded_params()) {
        auto name = decode(parameter.key, true);
        auto value = decode(parameter.value, true);
        if (!name || !value)
            return malformed("The query decodes to a NUL or to something that is not UTF-8",
                             parameter.key);
        bool const nothing = name->empty() && !parameter.has_value;
        if (!nothing)
            parsed.query.add(std::move(*name), std::move(*value));
    }
    return parsed;
}

result<addressee> take_host(std::string_view target, std::string_view host_field)
{
    if (target.starts_with('/') || target == "*")
        return addressee{std::string(host_field), std::string(target)};
    for (std::string_view const scheme : {"http://", "https://"}) {
        if (!equal_but_for_case(target.substr(0, scheme.size()), scheme))
            continue;
        target.remove_prefix(scheme.size());
        std::string_view const host = target.substr(0, target.find_first_of("/?"));
        target.remove_prefix(host.size());
        if (host.empty() || host.find('@') != host.npos)
            break;
        return addressee{std::string(host), (target.starts_with('/') ? "" : "/") +
                                                std::string(target)};
    }
    return invalid_request({}, "The request's target must be a path, or an absolute URL");
}

} // namespace belay::http
