#include "service/service.hpp"

#include "message/media_type.hpp"
#include "message/multipart.hpp"
#include "message/text.hpp"
#include "service/route.hpp"

#include <belay/detail/shortage.hpp>

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <new>
#include <span>
#include <system_error>
#include <utility>

namespace belay::http {

namespace {

using enum body_kind;

bool matches(std::string_view path, std::span<std::string const> segments)
{
    for (auto const& segment : segments) {
        if (path.empty())
            return false;
        std::size_t const end = std::min(path.find('/'), path.size());
        std::string_view const wanted = path.substr(0, end);
        if (wanted == "*" ? segment.empty() : wanted != segment)
            return false;
        path.remove_prefix(std::min(end + 1, path.size()));
    }
    return path.empty();
}

/// The methods of a path; none if there is nothing under it.
boost::json::array allowed_methods(std::span<route const> routes,
                                   std::span<std::string const> segments)
{
    boost::json::array allowed;
    for (auto const& route : routes) {
        if (!matches(route.path, segments))
            continue;
        allowed.emplace_back(route.method);
        if (route.method == "GET")
            allowed.emplace_back("HEAD");
    }
    return allowed;
}

/// Whatever the method is.
bool leads_to(service::looked_up const& found, std::string_view path)
{
    return found.target && matches(path, found.target->segments);
}

std::uint64_t body_bytes_max(body_kind kind, request_head const& head,
                             server_options const& options)
{
    switch (kind) {
    case none: return 0;
    case small: return small_body_bytes_max;
    case list: return list_body_bytes_max;
    case inputs:
        return is_multipart(head.content_type)    ? upload_body_bytes_max(options)
               : is_json_lines(head.content_type) ? options.stream_bytes_max
                                                  : options.body_bytes_max;
    }
    return 0;
}

std::optional<api_error> check_media_type(body_kind kind, std::string_view given)
{
    if (given.empty() || is_json(given))
        return std::nullopt;
    if (kind != inputs)
        return unsupported_media_type(given, "application/json");
    if (is_json_lines(given) || is_multipart(given))
        return std::nullopt;
    return unsupported_media_type(given,
                                  "application/json, application/x-ndjson, application/jsonl, "
                                  "multipart/form-data");
}

std::optional<api_error> check_body(route const& route, request_head const& head,
                                    server_options const& options)
{
    if (!head.has_body || route.body == none)
        return std::nullopt;
    std::uint64_t const most = body_bytes_max(route.body, head, options);
    if (head.content_length && *head.content_length > most)
        return payload_too_large(most);
    if (!head.content_encoding.empty() && !equal_but_for_case(head.content_encoding, "identity"))
        return unsupported_encoding(head.content_encoding);
    return check_media_type(route.body, head.content_type);
}

/// The index that a path segment names: plain decimal, below `size`.
std::optional<std::uint64_t> parse_job(std::string_view text, std::uint64_t size)
{
    std::uint64_t index = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
    bool const plain = error == std::errc() && end == text.data() + text.size() &&
                       (text.size() == 1 || text.front() != '0');
    return plain && index < size ? std::optional(index) : std::nullopt;
}

/// What the path names, put into `request`; or 404.
std::optional<api_error> find_named(route const& route, std::vector<std::string> const& segments,
                                    admitted& request)
{
    if (route.path == "v1/operations/*") {
        auto found = request.service.find_operation(segments[2], *request.key);
        if (!found)
            return found.error();
        request.operation = std::move(*found);
    }
    if (!route.path.starts_with("v1/batches/*"))
        return std::nullopt;
    std::string const& id = segments[2];
    auto found = request.service.find_batch(id, *request.key);
    if (!found)
        return found.error();
    request.batch = std::move(*found);
    if (segments.size() < 5)
        return std::nullopt;
    auto const job = parse_job(segments[4], request.batch->size());
    if (!job)
        return not_found("Job " + shown(segments[4]) + " not found: batch " + id + " has " +
                         std::to_string(request.batch->size()) + " jobs, counted from 0");
    request.job = *job;
    return std::nullopt;
}

constexpr std::uint64_t largest_number = std::numeric_limits<std::uint64_t>::max();

std::uint64_t sum_or_most(std::uint64_t one, std::uint64_t other) noexcept
{
    return one > largest_number - other ? largest_number : one + other;
}

std::uint64_t product_or_most(std::uint64_t one, std::uint64_t other) noexcept
{
    return other != 0 && one > largest_number / other ? largest_number : one * other;
}

} // namespace

std::uint64_t upload_body_bytes_max(server_options const& options) noexcept
{
    constexpr std::uint64_t fields_bytes = std::uint64_t{1} << 20;
    constexpr std::uint64_t head_bytes = 512;      // of a file, with the boundary, without its name
    constexpr std::uint64_t escaped_bytes_max = 3; // of a byte of a name: %22
    std::uint64_t const names = upload_names_bytes_max(options);
    std::uint64_t const files = std::min(options.inputs_max, names / upload_name_bytes);
    return sum_or_most(
        options.upload_bytes_max,
        sum_or_most(fields_bytes, sum_or_most(product_or_most(names, escaped_bytes_max),
                                              product_or_most(files, head_bytes))));
}

std::uint64_t upload_names_bytes_max(server_options const& options) noexcept
{
    return options.buffer_bytes_max / 4;
}

api_key make_api_key(std::string name, std::string owner, role role, std::string_view secret)
{
    api_key key{.name = std::move(name), .owner = std::move(owner), .role = role};
    SHA256(reinterpret_cast<unsigned char const*>(secret.data()), secret.size(),
           key.sha256.data());
    return key;
}

std::string make_secret()
{
    std::array<unsigned char, 32> bytes{};
    if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
        throw error(errc::invalid_argument, "the system gave no random bytes");
    std::string text;
    for (unsigned char const byte : bytes)
        text.append({"0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15]});
    return text;
}

service::service(engine& engine, std::span<route const> routes, std::vector<offered_type> types,
                 server_options const& options)
    : engine_(engine),
      routes_(routes),
      options_(options),
      events_(engine, options),
      cancels_(std::make_shared<cancel_history>(options.on_cancel_end)),
      uploads_(std::make_shared<upload_quota>(
          options.owner_upload_bytes_max,
          [&engine](std::string const& owner) { return engine.upload_bytes(owner); }))
{
    for (auto& type : types) {
        engine_.define(type.type);
        std::string name = type.type.name;
        types_.emplace(std::move(name), std::move(type));
    }
}

api_key const* service::authenticate(std::string_view secret) const
{
    // Every key is looked at, so that the time tells nothing.
    api_key const given = make_api_key({}, {}, role::read, secret);
    api_key const* found = nullptr;
    for (auto const& key : options_.keys)
        if (CRYPTO_memcmp(key.sha256.data(), given.sha256.data(), given.sha256.size()) == 0)
            found = &key;
    return secret.empty() ? nullptr : found;
}

service::looked_up service::look_up(request_head const& head) const
{
    looked_up found{.target = parse_target(head.target), .key = authenticate(head.api_key)};
    if (!found.target)
        return found;
    std::string_view const method = head.method == "HEAD" ? "GET" : std::string_view(head.method);
    auto const line = std::ranges::find_if(routes_, [&](route const& route) {
        return route.method == method && matches(route.path, found.target->segments);
    });
    if (line == routes_.end())
        return found;
    found.route = &*line;
    found.changes = line->effect == effect::change;
    found.is_control = line->work == work_kind::control && (found.key != nullptr || !line->needs);
    return found;
}

result<std::unique_ptr<operation>> service::admit(request_head const& head, looked_up found)
{
    if (stopping_ && !leads_to(found, "healthz"))
        return unavailable("The server is shutting down");
    bool const is_open =
        leads_to(found, "") || leads_to(found, "healthz") || leads_to(found, "readyz");
    if (found.key == nullptr && !is_open)
        return unauthorized(head.api_key.empty()
                                ? "No API key was sent; send one as X-Api-Key or as "
                                  "Authorization: Bearer"
                                : "The API key is not known");
    try {
        return make(head, std::move(found));
    } catch (std::system_error const& fault) {
        return detail::is_shortage(fault.code()) ? unavailable(fault.what())
                                                 : processing_error(fault.what());
    }
}

result<std::unique_ptr<operation>> service::make(request_head const& head, looked_up found)
{
    if (head.target == "*" && head.method == "OPTIONS")
        return answer_with({.status = 204,
                            .content_type = {},
                            .fields = {{"Allow", "DELETE, GET, HEAD, OPTIONS, POST, PUT"}}});
    if (!found.target)
        return found.target.error();
    if (found.route == nullptr) {
        if (auto allowed = allowed_methods(routes_, found.target->segments); !allowed.empty())
            return method_not_allowed(head.method, std::move(allowed));
        return not_found("There is nothing at " + shown(head.target, 256));
    }
    admitted request{*this, head, std::move(found.target->query), found.key, {}, {}};
    if (auto refused = find_named(*found.route, found.target->segments, request))
        return std::move(*refused);
    if (found.route->needs && found.key->role < *found.route->needs)
        return forbidden(
            "The key " + http::quoted(found.key->name) +
            (found.key->role == role::read ? " may only read" : " is not that of an admin"));
    if (auto refused = check_body(*found.route, head, options_))
        return std::move(*refused);
    return found.route->make(std::move(request));
}

result<recorded_batch> service::find_batch(std::string_view id, api_key const& key) const
{
    auto found = engine_.find(id);
    if (!found || (key.role != role::admin && found->owner() != key.owner))
        return batch_not_found(id);
    return std::move(*found);
}

result<cancel_operation> service::find_operation(std::string_view id, api_key const& key) const
{
    auto found = engine_.find_operation(id);
    if (!found || (key.role != role::admin && found.owner() != key.owner))
        return not_found("Operation " + shown(id) + " not found");
    return found;
}

offered_type const* service::find_type(std::string_view name) const
{
    auto const found = types_.find(name);
    return found == types_.end() ? nullptr : &found->second;
}

std::string_view service::path_member(std::string_view type) const
{
    offered_type const* const offered = find_type(type);
    return offered == nullptr ? "path" : std::string_view(offered->path_member);
}

std::string service::type_names() const
{
    std::string names;
    for (auto const& [name, type] : types_)
        names.append(names.empty() ? "" : ", ").append(name);
    return names;
}

} // namespace belay::http
