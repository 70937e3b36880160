#include "service.hpp"

#include "media_type.hpp"
#include "resources/resource.hpp"
#include "text.hpp"

#include <belay/detail/shortage.hpp>

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <new>
#include <span>
#include <system_error>
#include <utility>

namespace belay::http {

namespace {

enum class body_kind : std::uint8_t { none, small, inputs };

/// A line of the table of resources.
struct route {
    std::string_view method;
    std::string_view path; ///< segments, `*` for any
    std::optional<role> needs;
    body_kind body;
    made_operation (*make)(admitted);
};

constexpr std::array routes{
    route{"GET", "healthz", std::nullopt, body_kind::none, get_health},
    route{"GET", "readyz", std::nullopt, body_kind::none, get_readiness},
    route{"GET", "v1/types", role::read, body_kind::none, list_types},
    route{"POST", "v1/batches", role::submit, body_kind::inputs, create_batch},
    route{"GET", "v1/batches", role::read, body_kind::none, list_batches},
    route{"GET", "v1/batches/*", role::read, body_kind::none, get_batch},
    route{"DELETE", "v1/batches/*", role::submit, body_kind::none, delete_batch},
    route{"GET", "v1/batches/*/results", role::read, body_kind::none, get_results},
    route{"GET", "v1/batches/*/jobs", role::read, body_kind::none, list_jobs},
    route{"GET", "v1/batches/*/jobs/*", role::read, body_kind::none, get_job},
    route{"GET", "v1/batches/*/jobs/*/output", role::read, body_kind::none, get_output},
    route{"GET", "v1/batches/*/state", role::read, body_kind::none, get_batch_state},
    route{"PUT", "v1/batches/*/state", role::submit, body_kind::small, put_batch_state},
    route{"PUT", "v1/batches/*/jobs/*/state", role::submit, body_kind::small, put_job_state},
};

bool matches(std::string_view path, std::span<std::string const> segments)
{
    for (auto const& segment : segments) {
        if (path.empty())
            return false;
        std::size_t const end = std::min(path.find('/'), path.size());
        std::string_view const wanted = path.substr(0, end);
        if (wanted != "*" && wanted != segment)
            return false;
        path.remove_prefix(std::min(end + 1, path.size()));
    }
    return path.empty();
}

/// The `Allow` of a path; empty if there is nothing under it.
std::string allowed_methods(std::span<std::string const> segments)
{
    std::string allowed;
    for (auto const& route : routes)
        if (matches(route.path, segments))
            allowed.append(allowed.empty() ? "" : ", ")
                .append(route.method == "GET" ? "GET, HEAD" : route.method);
    return allowed;
}

std::uint64_t body_bytes_max(body_kind kind, request_head const& head,
                             server_options const& options)
{
    switch (kind) {
    case body_kind::none: return 0;
    case body_kind::small: return small_body_bytes_max;
    case body_kind::inputs:
        return is_json_lines(head.content_type) ? options.stream_bytes_max : options.body_bytes_max;
    }
    return 0;
}

std::optional<api_error> check_media_type(body_kind kind, std::string_view given)
{
    if (given.empty() || is_json(given))
        return std::nullopt;
    if (kind != body_kind::inputs)
        return unsupported_media_type(given, "application/json");
    if (is_json_lines(given))
        return std::nullopt;
    return unsupported_media_type(given, "application/json, application/x-ndjson");
}

std::optional<api_error> check_body(route const& route, request_head const& head,
                                    server_options const& options)
{
    if (!head.has_body || route.body == body_kind::none)
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
std::optional<api_error> find_named(std::vector<std::string> const& segments, admitted& request)
{
    if (segments.size() < 3)
        return std::nullopt;
    std::string const& id = segments[2];
    request.batch = request.service.batches().find(id);
    if (!request.batch ||
        (request.key->role != role::admin && request.batch->owner() != request.key->owner))
        return batch_not_found(id);
    if (segments.size() < 5)
        return std::nullopt;
    auto const job = parse_job(segments[4], request.batch->size());
    if (!job)
        return not_found("Job " + shown(segments[4]) + " not found: batch " + id + " has " +
                         std::to_string(request.batch->size()) + " jobs, counted from 0");
    request.job = *job;
    return std::nullopt;
}

} // namespace

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

service::service(engine& engine, std::vector<offered_type> types, server_options const& options)
    : engine_(engine), options_(options)
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

result<std::unique_ptr<operation>> service::admit(request_head const& head)
{
    auto target = parse_target(head.target);
    bool const alive = target && target->segments == std::vector<std::string>{"healthz"};
    bool const open = alive || (target && target->segments == std::vector<std::string>{"readyz"});
    if (stopping_ && !alive)
        return unavailable("The server is shutting down");
    api_key const* const key = authenticate(head.api_key);
    if (key == nullptr && !open)
        return unauthorized(head.api_key.empty()
                                ? "No API key was sent; send one as X-Api-Key or as "
                                  "Authorization: Bearer"
                                : "The API key is not known");
    if (!target)
        return target.error();
    try {
        return admit(head, std::move(*target), key);
    } catch (std::system_error const& fault) {
        return detail::is_shortage(fault.code()) ? unavailable(fault.what())
                                                 : processing_error(fault.what());
    }
}

result<std::unique_ptr<operation>> service::admit(request_head const& head, request_target target,
                                                  api_key const* key)
{
    std::string_view const method = head.method == "HEAD" ? "GET" : std::string_view(head.method);
    auto const* const found = std::ranges::find_if(routes, [&](route const& route) {
        return route.method == method && matches(route.path, target.segments);
    });
    if (found == routes.end()) {
        std::string const allowed = allowed_methods(target.segments);
        if (!allowed.empty())
            return method_not_allowed(head.method, allowed);
        return not_found("There is nothing at " + shown(head.target, 256));
    }

    admitted request{*this, head, std::move(target.query), key, std::nullopt};
    if (auto refused = find_named(target.segments, request))
        return std::move(*refused);
    if (found->needs && key->role < *found->needs)
        return forbidden("The key " + http::quoted(key->name) + " may only read");
    if (auto refused = check_body(*found, head, options_))
        return std::move(*refused);
    return found->make(std::move(request));
}

offered_type const* service::find_type(std::string_view name) const
{
    auto const found = types_.find(name);
    return found == types_.end() ? nullptr : &found->second;
}

std::string service::type_names() const
{
    std::string names;
    for (auto const& [name, type] : types_)
        names.append(names.empty() ? "" : ", ").append(name);
    return names;
}

} // namespace belay::http
