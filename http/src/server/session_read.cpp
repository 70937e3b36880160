// What a session reads: headers and bodies.
#include "message/answers.hpp"
#include "message/door.hpp"
#include "message/text.hpp"
#include "server/body_reader.hpp"
#include "server/in_turn.hpp"

#include <boost/beast/http/error.hpp>
#include <boost/beast/http/field.hpp>

#include <algorithm>
#include <chrono>
#include <utility>
#include <variant>

namespace belay::http {

namespace asio = boost::asio;
namespace bhttp = boost::beast::http;
using boost::system::error_code;

namespace {

/// What is read first of a request: most are shorter.
constexpr std::size_t header_read_bytes = 4 * 1024;

constexpr std::size_t read_bytes = 16 * 1024;

/// A body that comes in more parts than these is no longer read at once, whatever it is of.
constexpr int reads_at_once = 4;

/// A refused body of at most this is read and dropped, so that the connection can be kept.
constexpr std::uint64_t skipped_body_bytes_max = 64 * 1024;

/// How long a refused client may take for a body that is read before its answer.
constexpr std::chrono::seconds skipping_time_max{1};

/// How much of what a refused client still sends is read before the connection is closed, so that
/// it gets to see the answer: many do not look for one before they have sent everything.
constexpr std::uint64_t lingering_bytes_max = 64 * 1024 * 1024;

/// At a time.
constexpr std::size_t dropped_bytes = 1024 * 1024;

/// How long nothing may come meanwhile.
constexpr std::chrono::seconds lingering_pause_max{1};

/// Whether a line of `text` that ends at or behind `from` ends in LF alone.
bool has_bare_line_feed(std::string_view text, std::size_t from)
{
    for (auto end = text.find('\n', from); end != text.npos; end = text.find('\n', end + 1))
        if (end == 0 || text[end - 1] != '\r')
            return true;
    return false;
}

/// How many bytes the empty lines at the begin have. They are to be ignored (RFC 9112, 2.2).
std::size_t empty_lines(std::string_view input)
{
    std::size_t end = 0;
    while (input.substr(end).starts_with("\r\n"))
        end += 2;
    return end;
}

std::string key_of(bhttp::fields const& fields)
{
    if (std::string_view const key = fields["X-Api-Key"]; !key.empty())
        return std::string(key);
    constexpr std::string_view scheme = "bearer ";
    std::string_view const given = fields[bhttp::field::authorization];
    if (given.size() > scheme.size() && equal_but_for_case(given.substr(0, scheme.size()), scheme))
        return std::string(trimmed(given.substr(scheme.size())));
    return {};
}

} // namespace

/// Reads a header and hands it to the parser. False if it was refused and that has been answered.
asio::awaitable<bool> session::read_header(exchange& exchange)
{
    std::size_t size = 0;
    auto refused = co_await read_header_bytes(size);
    exchange.is_first = is_fresh();
    if (!refused) {
        auto const parse = [&] { return parse_header(exchange, size); };
        try {
            refused = co_await in_turn(exchange, parse);
        } catch (connection_interrupted const&) {
            refused = gave_way();
        }
    }
    if (!refused)
        co_return true;
    exchange.after = after::linger; // where the request ends is not known
    co_await write(exchange, failed(*refused, exchange.id));
    connection_.end_sending();
    co_return false;
}

/// Why what was read can't be a request. Else what it leads to in `exchange`, or why it is refused there.
std::optional<api_error> session::parse_header(exchange& exchange, std::size_t size)
{
    auto const header = connection_.input().substr(0, size);
    if (auto refused = inspect_header(header))
        return refused;
    error_code error;
    exchange.parser.eager(false);
    std::size_t const used = exchange.parser.put(asio::buffer(header), error);
    if (error && error != bhttp::error::need_more)
        return invalid_request({}, "The request could not be read: " + error.message());
    if (!exchange.parser.is_header_done() || used != size)
        return invalid_request({}, "The request could not be read: bad header");
    connection_.use_up(size);
    exchange.refused = look_up(exchange);
    exchange.parser.get().base().clear(); // they can take more memory than all else
    connection_.release_input();
    return std::nullopt;
}

/// Waits for a header. Why it is refused, or how many bytes of the input it has in `size`.
asio::awaitable<std::optional<api_error>> session::read_header_bytes(std::size_t& size)
{
    server_options const& options = service_.options();
    bool has_begun = !connection_.input().empty();
    connection_.expires_after(has_begun ? options.header_time_max : options.idle_time_max);
    if (!has_begun)
        connection_.release_input();
    std::size_t before = 0; // in empty lines
    std::size_t seen = 0;
    while (true) {
        if (std::size_t const dropped = empty_lines(connection_.input())) {
            before += dropped;
            connection_.use_up(dropped);
            seen = 0;
        }
        auto const input = connection_.input();
        std::size_t const end = input.find("\r\n\r\n", seen < 3 ? 0 : seen - 3);
        size = end == input.npos ? input.size() : end + 4;
        if (size + before > options.header_bytes_max)
            co_return header_too_large(options.header_bytes_max);
        if (end != input.npos)
            co_return std::nullopt;
        // Refused now, since the end of the header would never be seen.
        if (has_bare_line_feed(input, seen))
            co_return invalid_request({}, "The header has a LF without CR");
        seen = input.size();
        co_await connection_.read(header_read_bytes);
        if (!std::exchange(has_begun, true))
            connection_.expires_after(options.header_time_max);
    }
}

/// What the header says. Why it is refused, or what it leads to in `exchange.found`.
std::optional<api_error> session::look_up(exchange& exchange)
{
    auto const& message = exchange.parser.get();
    request_head& head = exchange.head;
    head.method = message.method_string();
    head.target = message.target();
    head.api_key = key_of(message);
    head.content_type = message[bhttp::field::content_type];
    head.content_encoding = joined(message, "Content-Encoding");
    head.accept = joined(message, "Accept");
    head.prefer = joined(message, "Prefer");
    if (message.count("Idempotency-Key") != 0)
        head.idempotency_key = joined(message, "Idempotency-Key");
    if (head.method == "GET") { // a range of anything else is to be ignored (RFC 9110, 14.2)
        head.range = joined(message, "Range");
        head.if_range = message[bhttp::field::if_range];
    }
    head.if_match = joined(message, "If-Match");
    head.if_none_match = joined(message, "If-None-Match");
    if (auto const length = exchange.parser.content_length())
        head.content_length = *length;
    head.has_body = exchange.parser.chunked() || head.content_length.value_or(0) != 0;
    exchange.body_done = !head.has_body;
    exchange.bodiless = head.method == "HEAD";
    exchange.after = exchange.parser.keep_alive() ? after::keep : after::close;
    if (std::string_view const given = message["X-Request-Id"]; is_request_id(given))
        exchange.id = given;
    exchange.forwarded_for = joined(message, "X-Forwarded-For");

    std::string const expected = joined(message, "Expect");
    exchange.expects_continue = message.version() >= 11 && !expected.empty();

    auto asked = take_host(head.target, message[bhttp::field::host]);
    if (!asked)
        return asked.error();
    head.target = std::move(asked->target);
    if (context_.is_on_loopback && !is_loopback_host(asked->host, context_.listen_address) &&
        !is_host_among(asked->host, service_.options().allowed_hosts))
        return misdirected_request(asked->host);
    // HTTP/1.0 knows no expectations, and has them ignored (RFC 9110, 10.1.1).
    if (exchange.expects_continue && !equal_but_for_case(expected, "100-continue"))
        return expectation_failed(expected);
    exchange.found = service_.look_up(head);
    exchange.is_control = exchange.found->is_control;
    return std::nullopt;
}

asio::awaitable<void> session::read_body(exchange& exchange, operation& operation)
{
    bool const is_wanted = operation.body_bytes_max() != 0;
    std::uint64_t const most = is_wanted ? operation.body_bytes_max() : skipped_body_bytes_max;
    if (exchange.head.content_length > most) // Beast has looked at its limit before
        throw payload_too_large(most);
    set_phase(phase::receiving);
    auto const reader =
        std::make_unique<body_reader>(connection_, exchange.parser, service_.options(),
                                      context_.body_room, most);
    if (exchange.expects_continue)
        co_await reader->ask_for_it();
    std::string_view piece;
    auto const take = [&]() -> std::optional<pause> {
        piece = reader->next();
        if (piece.empty() || !is_wanted)
            return std::nullopt;
        if (auto refused = operation.take(piece))
            return std::move(*refused);
        return operation.digest();
    };
    auto const digest = [&] { return operation.digest(); };
    int reads = 0;
    for (bool is_short = false; !reader->is_done(); is_short = piece.empty()) {
        if (is_short || connection_.input().empty()) {
            co_await reader->read();
            exchange.is_first = exchange.is_first && ++reads < reads_at_once;
        }
        auto next = co_await in_turn(exchange, take);
        while (next) {
            if (auto* const refused = std::get_if<api_error>(&*next))
                throw std::move(*refused);
            if (auto const* const wanted = std::get_if<wait_for_end>(&*next)) {
                co_await wait(*wanted);
                set_phase(phase::receiving);
                reader->restart_time();
            }
            next = co_await in_turn(exchange, digest);
        }
        hold(exchange, operation.bytes_held());
    }
    exchange.parser.get().base().clear(); // of a trailer
    connection_.release_input();
    exchange.body_done = true;
}

/// Reads the body of a request that is refused, if it is short.
asio::awaitable<void> session::skip_body(exchange& exchange)
{
    if (exchange.body_done)
        co_return;
    auto const length = exchange.head.content_length;
    if (!length || *length > skipped_body_bytes_max || exchange.expects_continue) {
        exchange.after = after::linger;
        co_return;
    }
    set_phase(phase::receiving);
    connection_.expires_after(service_.options().request_time_max);
    // Its client has no answer before, so it is not waited for for long.
    asio::steady_timer pause(connection_.get_executor(), skipping_time_max);
    pause.async_wait([weak = weak_from_this()](error_code ended) {
        if (auto const session = weak.lock(); session && !ended && session->is_skipping_)
            session->connection_.interrupt();
    });
    is_skipping_ = true;
    try {
        co_await skip(*length);
        connection_.forget_interrupt();
        exchange.body_done = true;
    } catch (connection_interrupted const&) {
        exchange.after = after::linger;
    }
    is_skipping_ = false;
}

asio::awaitable<void> session::skip(std::size_t bytes)
{
    while (connection_.input().size() < bytes) {
        bytes -= connection_.input().size();
        connection_.use_up(connection_.input().size());
        co_await connection_.read(read_bytes);
    }
    connection_.use_up(bytes);
}

/// Drops what a client still sends that has had its answer. Closing a socket that has input, or gets
/// some, resets the connection, and with it the answer (RFC 9112, 9.6).
asio::awaitable<void> session::linger(exchange& exchange)
{
    set_phase(phase::lingering);
    auto const end = std::chrono::steady_clock::now() + service_.options().request_time_max;
    std::uint64_t left = lingering_bytes_max;
    std::uint64_t body = lingering_bytes_max;
    if (!exchange.body_done && exchange.parser.content_length_remaining())
        body = *exchange.parser.content_length_remaining();
    while (std::chrono::steady_clock::now() < end) {
        std::uint64_t got = connection_.input().size();
        connection_.use_up(got);
        {
            auto const turn = co_await context_.bulk.next(turn_);
            got += connection_.drop(dropped_bytes);
        }
        if (got >= left)
            break;
        left -= got;
        body -= std::min(body, got);
        if (body == 0) // it may be looking for the end now
            connection_.end_sending();
        connection_.expires_after(lingering_pause_max);
        co_await connection_.read(1);
    }
    connection_.end_sending();
}

} // namespace belay::http
