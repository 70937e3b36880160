#include "server/request_admission.hpp"

#include "message/door.hpp"
#include "message/text.hpp"
#include "server/client_address.hpp"
#include "server/eviction.hpp"
#include "server/session.hpp"

#include <chrono>
#include <new>
#include <utility>

namespace belay::http {

request_admission::request_admission(session_context& context, boost::asio::ip::address peer)
    : context_(context), peer_(std::move(peer))
{
}

std::optional<api_error> request_admission::look_up(exchange& exchange) const
{
    request_header& header = exchange.reader.header();
    if (header.refused)
        return std::move(header.refused);
    if (context_.is_on_loopback && !is_loopback_host(header.host, context_.listen_address) &&
        !is_host_among(header.host, context_.service.options().allowed_hosts))
        return misdirected_request(header.host);
    if (!header.expectation.empty() && !equal_but_for_case(header.expectation, "100-continue"))
        return expectation_failed(header.expectation);
    exchange.found = context_.service.look_up(header.head);
    exchange.is_control = exchange.found->is_control;
    exchange.changes = exchange.found->changes;
    return std::nullopt;
}

std::optional<api_error> request_admission::admit(exchange& exchange)
{
    try {
        auto admitted = context_.service.admit(exchange.head(), std::move(*exchange.found));
        if (!admitted)
            return admitted.error().status == 401 ? wrong_key(exchange, admitted.error())
                                                  : admitted.error();
        exchange.operation = std::move(*admitted);
    } catch (std::bad_alloc const&) {
        return out_of_memory();
    }
    return check_room(*exchange.operation);
}

/// What is wrong with the key, or that there were too many such requests from there.
api_error request_admission::wrong_key(exchange const& exchange, api_error const& error)
{
    auto const now = std::chrono::steady_clock::now();
    auto const address =
        client_address(peer_, exchange.reader.header().forwarded_for, context_.trusted_proxies);
    auto const [wait, is_first] = context_.wrong_keys.note(network_of(address), now);
    if (wait.count() == 0)
        return error;
    if (is_first)
        context_.log.warn("wrong key",
                          address.to_string() + " sends too many requests without a right key");
    auto const reset = std::chrono::system_clock::now() + wait;
    return rate_limit_error(context_.wrong_keys.most(), 0,
                            std::chrono::system_clock::to_time_t(reset),
                            wrong_keys::window.count());
}

std::optional<api_error> request_admission::check_room(operation const& operation)
{
    if (!operation.is_limited() || context_.limited < context_.service.options().requests_max)
        return std::nullopt;
    auto const is_limited = [](session const& other) { return other.state().is_limited(); };
    if (slowest_gives_way(context_.sessions, is_limited))
        return std::nullopt;
    return unavailable("Too many requests are under way");
}

} // namespace belay::http
