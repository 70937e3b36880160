#include "session.hpp"

#include "answers.hpp"
#include "door.hpp"

#include <belay/detail/shortage.hpp>

#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <ctime>
#include <memory>
#include <mutex>
#include <new>
#include <random>
#include <system_error>
#include <utility>
#include <variant>

namespace belay::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using boost::system::error_code;

namespace {

constexpr std::size_t read_bytes = 16 * 1024;
constexpr std::size_t chunk_bytes = 16 * 1024;

/// A refused body of at most this is read and dropped, so that the connection can be kept.
constexpr std::uint64_t skipped_body_bytes_max = 64 * 1024;

/// How much of what a refused client still sends is read before the connection is closed, so that
/// it gets to see the answer.
constexpr std::size_t lingering_bytes_max = 1024 * 1024;
constexpr std::chrono::seconds lingering_time_max{2};

/// How much of a body has to come within the time that is given to a request.
constexpr std::uint64_t body_part_bytes = 1024 * 1024;

/// The client is gone, or too slow, or the connection is to end: there is nobody to answer.
struct connection_over {};

std::string make_request_id()
{
    static std::uint64_t const process = [] {
        std::random_device random;
        return (std::uint64_t{random()} << 32) | random();
    }();
    static std::atomic<std::uint64_t> next{0};
    std::array<char, 40> text{};
    std::snprintf(text.data(), text.size(), "req-%016llx-%llx",
                  static_cast<unsigned long long>(process),
                  static_cast<unsigned long long>(++next));
    return text.data();
}

/// The Date field, which every answer of an origin server has.
std::string http_date()
{
    std::time_t const now = std::time(nullptr);
    std::tm parts{};
    gmtime_r(&now, &parts);
    std::array<char, 40> text{};
    std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return text.data();
}

/// Whether a line of `text` that ends at or behind `from` ends in LF alone.
bool has_bare_line_feed(std::string_view text, std::size_t from)
{
    for (auto end = text.find('\n', from); end != text.npos; end = text.find('\n', end + 1))
        if (end == 0 || text[end - 1] != '\r')
            return true;
    return false;
}

/// Those before a request are to be ignored (RFC 9112, 2.2). How many bytes that were.
std::size_t drop_empty_lines(std::string& input)
{
    std::size_t end = 0;
    while (std::string_view(input).substr(end).starts_with("\r\n"))
        end += 2;
    input.erase(0, end);
    return end;
}

template <class Name>
std::string joined(bhttp::fields const& fields, Name name)
{
    std::string text;
    auto const [begin, end] = fields.equal_range(name);
    for (auto field = begin; field != end; ++field)
        text.append(text.empty() ? "" : ", ").append(field->value());
    return text;
}

std::string key_of(bhttp::fields const& fields)
{
    if (std::string_view const key = fields["X-Api-Key"]; !key.empty())
        return std::string(key);
    constexpr std::string_view scheme = "bearer ";
    std::string_view const given = fields[bhttp::field::authorization];
    if (given.size() > scheme.size() && beast::iequals(given.substr(0, scheme.size()), scheme))
        return std::string(given.substr(scheme.size()));
    return {};
}

api_error too_many_requests()
{
    return unavailable("Too many requests are under way");
}

/// Wakes a coroutine that waits on a timer, from whatever thread, as long as it waits: the callback
/// may come when the session and its executor are gone.
class waker {
public:
    explicit waker(std::shared_ptr<asio::steady_timer> timer) : timer_(std::move(timer)) {}

    void wake()
    {
        std::scoped_lock const lock(mutex_);
        if (timer_)
            asio::post(timer_->get_executor(), [timer = timer_] { timer->cancel(); });
    }
    void disarm()
    {
        std::scoped_lock const lock(mutex_);
        timer_.reset();
    }

private:
    std::mutex mutex_;
    std::shared_ptr<asio::steady_timer> timer_; // guarded by mutex_
};

/// The rest of an answer that is whole.
class no_rest final : public body_source {
public:
    bool next(std::string&) override { return false; }
};

/// Disarms it however the wait ends, also with the coroutine.
struct disarming {
    std::shared_ptr<waker> of;
    ~disarming() { of->disarm(); }
};

} // namespace

/// A request on its way, and what has to be known to answer it.
struct session::exchange {
    explicit exchange(std::size_t header_bytes_max)
    {
        parser.header_limit(static_cast<std::uint32_t>(header_bytes_max));
        parser.body_limit(boost::none); // how much it may be is known once the target is
    }

    std::string id = make_request_id();
    bhttp::request_parser<bhttp::buffer_body> parser;
    request_head head;
    bool body_done = true;
    session::after after = session::after::close;
    bool bodiless = false; ///< the answer must not have a body
};

/// Counts a request as under way while it lives.
class session::request_count {
public:
    explicit request_count(std::size_t& count) : count_(count) { ++count_; }
    request_count(request_count const&) = delete;
    request_count& operator=(request_count const&) = delete;
    ~request_count() { --count_; }

private:
    std::size_t& count_;
};

session::session(asio::ip::tcp::socket socket, service& service, session_counts& counts,
                 std::string listen_address, bool on_loopback)
    : stream_(std::move(socket)), service_(service), counts_(counts),
      listen_address_(std::move(listen_address)), on_loopback_(on_loopback)
{
    error_code ignored;
    stream_.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
}

void session::close() noexcept
{
    error_code ignored;
    stream_.socket().close(ignored);
    if (auto const timer = waiting_.lock())
        timer->cancel();
}

/// Held while what is done touches the engine.
std::unique_lock<std::mutex> session::enter()
{
    auto lock = service_.enter();
    if (service_.is_closed())
        throw connection_over{};
    return lock;
}

asio::awaitable<void> session::run()
{
    auto const self = shared_from_this();
    try {
        while (co_await serve_one()) {
        }
    } catch (connection_over const&) {
    } catch (std::exception const& fault) {
        spdlog::error("a connection was closed: {}", fault.what());
    }
    close();
}

asio::awaitable<bool> session::serve_one()
{
    exchange exchange(service_.options().header_bytes_max);
    busy_ = false;
    std::size_t const header_bytes = co_await read_header(exchange);
    if (header_bytes != 0)
        co_await answer_request(exchange);
    if (exchange.after == after::linger)
        co_await linger();
    co_return exchange.after == after::keep;
}

asio::awaitable<std::size_t> session::read_some()
{
    std::size_t const before = input_.size();
    input_.resize(before + read_bytes);
    error_code error;
    std::size_t const got = co_await stream_.async_read_some(
        asio::buffer(input_.data() + before, read_bytes),
        asio::redirect_error(asio::use_awaitable, error));
    input_.resize(before + got);
    if (error)
        throw connection_over{};
    last_active_ = std::chrono::steady_clock::now();
    co_return got;
}

/// Reads a header and hands it to the parser. 0 if it was refused and that has been answered.
asio::awaitable<std::size_t> session::read_header(exchange& exchange)
{
    server_options const& options = service_.options();
    std::size_t seen = 0;
    std::size_t empty_lines = 0; // bytes
    std::optional<api_error> refused;
    bool has_begun = !input_.empty();
    stream_.expires_after(has_begun ? options.header_time_max : options.idle_time_max);
    while (true) {
        if (std::size_t const dropped = drop_empty_lines(input_)) {
            empty_lines += dropped;
            seen = 0;
        }
        std::size_t const end = input_.find("\r\n\r\n", seen < 3 ? 0 : seen - 3);
        std::size_t const size = end == std::string::npos ? input_.size() : end + 4;
        if (size + empty_lines > options.header_bytes_max) {
            refused = header_too_large(options.header_bytes_max);
            break;
        }
        if (end != std::string::npos) {
            refused = inspect_header(std::string_view(input_).substr(0, size));
            seen = size;
            break;
        }
        // Refused now, since the end of the header would never be seen.
        if (has_bare_line_feed(input_, seen)) {
            refused = invalid_request({}, "The header has a LF without CR");
            break;
        }
        seen = input_.size();
        co_await read_some();
        if (!std::exchange(has_begun, true))
            stream_.expires_after(options.header_time_max);
    }

    if (!refused) {
        error_code error;
        exchange.parser.eager(false);
        std::size_t const used = exchange.parser.put(asio::buffer(input_.data(), seen), error);
        if (error && error != bhttp::error::need_more)
            refused = invalid_request({}, "The request could not be read: " + error.message());
        else if (!exchange.parser.is_header_done() || used != seen)
            refused = invalid_request({}, "The request could not be read: bad header");
        else if (!exchange.parser.get().target().starts_with('/'))
            refused = invalid_request({}, "The request's target must be a path");
        else
            input_.erase(0, seen);
    }
    if (!refused)
        co_return seen;
    exchange.after = after::linger;
    co_await write(exchange, failed(*refused, exchange.id));
    co_return 0;
}

asio::awaitable<void> session::answer_request(exchange& exchange)
{
    auto const& message = exchange.parser.get();
    request_head& head = exchange.head;
    head.method = message.method_string();
    head.target = message.target();
    head.api_key = key_of(message);
    head.content_type = message[bhttp::field::content_type];
    head.content_encoding = joined(message, bhttp::field::content_encoding);
    head.accept = joined(message, bhttp::field::accept);
    head.prefer = joined(message, bhttp::field::prefer);
    if (message.count("Idempotency-Key") != 0)
        head.idempotency_key = joined(message, "Idempotency-Key");
    if (head.method == "GET") { // a range of anything else is to be ignored (RFC 9110, 14.2)
        head.range = joined(message, bhttp::field::range);
        head.if_range = message[bhttp::field::if_range];
    }
    if (auto const length = exchange.parser.content_length())
        head.content_length = *length;
    head.has_body = exchange.parser.chunked() || head.content_length.value_or(0) != 0;
    exchange.body_done = !head.has_body;
    exchange.bodiless = head.method == "HEAD";
    exchange.after = exchange.parser.keep_alive() ? after::keep : after::close;

    std::unique_ptr<operation> operation;
    auto refused = admit(head, message[bhttp::field::host], operation);
    if (refused) {
        co_await skip_body(exchange);
        co_await write(exchange, failed(*refused, exchange.id));
        co_return;
    }
    response answer = co_await perform(exchange, *operation);
    co_await write(exchange, std::move(answer));
}

/// Why the request is refused, or what it does in `operation`.
std::optional<api_error> session::admit(request_head const& head, std::string_view host,
                                        std::unique_ptr<operation>& operation)
{
    auto const lock = enter();
    if (on_loopback_ && !is_loopback_host(host, listen_address_))
        return misdirected_request();
    try {
        auto admitted = service_.admit(head);
        if (!admitted)
            return admitted.error();
        operation = std::move(*admitted);
    } catch (std::bad_alloc const&) {
        return out_of_memory();
    }
    if (is_full_for(*operation))
        return too_many_requests();
    return std::nullopt;
}

bool session::is_full_for(operation const& operation) const
{
    return operation.is_limited() && counts_.limited >= service_.options().requests_max;
}

asio::awaitable<response> session::perform(exchange& exchange, operation& operation)
{
    std::string fault;
    try {
        // A body that is not wanted is dropped, and only then the request is under way.
        if (!exchange.body_done && operation.body_bytes_max() == 0) {
            co_await read_body(exchange, operation);
            if (is_full_for(operation))
                throw too_many_requests();
        }
        request_count const count(operation.is_limited() ? counts_.limited : counts_.unlimited);
        if (!exchange.body_done)
            co_await read_body(exchange, operation);
        busy_ = true;
        while (true) {
            auto lock = enter();
            step next = operation.proceed();
            lock.unlock();
            if (auto* const answer = std::get_if<response>(&next)) {
                make_first_piece(*answer);
                co_return std::move(*answer);
            }
            if (auto const* const error = std::get_if<api_error>(&next))
                co_return failed(*error, exchange.id);
            if (auto const* const wanted = std::get_if<wait_for_end>(&next))
                co_await wait(*wanted);
            else
                co_await asio::post(stream_.get_executor(), asio::use_awaitable);
        }
    } catch (api_error const& error) {
        exchange.after = exchange.body_done ? exchange.after : after::linger;
        co_return failed(error, exchange.id);
    } catch (std::bad_alloc const&) {
        exchange.after = exchange.body_done ? exchange.after : after::linger;
        co_return failed(out_of_memory(), exchange.id);
    } catch (std::system_error const& thrown) {
        if (detail::is_shortage(thrown.code())) {
            exchange.after = exchange.body_done ? exchange.after : after::linger;
            co_return failed(unavailable(thrown.what()), exchange.id);
        }
        fault = thrown.what();
    } catch (std::exception const& thrown) {
        fault = thrown.what();
    }
    spdlog::error("{}: {} {} failed: {}", exchange.id, exchange.head.method, exchange.head.target,
                  fault);
    exchange.after = after::linger;
    co_return failed(processing_error("The request failed inside the server"), exchange.id);
}

/// Of an answer that is made bit by bit. What can't be read at all has a status of its own still.
void session::make_first_piece(response& answer)
{
    if (!answer.rest || answer.rest_bytes)
        return;
    auto const lock = enter();
    if (!answer.rest->next(answer.body))
        answer.rest = std::make_unique<no_rest>();
}

asio::awaitable<void> session::read_body(exchange& exchange, operation& operation)
{
    auto& parser = exchange.parser;
    bool const is_wanted = operation.body_bytes_max() != 0;
    std::uint64_t const most = is_wanted ? operation.body_bytes_max() : skipped_body_bytes_max;
    if (exchange.head.content_length > most) // Beast has looked at its limit before
        throw payload_too_large(most);
    stream_.expires_after(service_.options().request_time_max);
    if (beast::iequals(parser.get()[bhttp::field::expect], "100-continue") && input_.empty()) {
        constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
        error_code error;
        co_await asio::async_write(stream_, asio::buffer(go_on),
                                   asio::redirect_error(asio::use_awaitable, error));
        if (error)
            throw connection_over{};
    }
    std::array<char, read_bytes> piece; // NOLINT: filled by the parser
    std::uint64_t taken = 0;
    std::uint64_t timed = 0;
    while (!parser.is_done()) {
        parser.get().body() = {.data = piece.data(), .size = piece.size(), .more = true};
        error_code error;
        std::size_t const used = parser.put(asio::buffer(input_), error);
        input_.erase(0, used);
        if (error && error != bhttp::error::need_more && error != bhttp::error::need_buffer)
            throw invalid_request({}, "The body could not be read: " + error.message());
        std::size_t const got = piece.size() - parser.get().body().size;
        taken += got;
        if (taken > most)
            throw payload_too_large(most);
        if (got != 0 && is_wanted) {
            auto lock = enter();
            auto refused = operation.take({piece.data(), got});
            lock.unlock();
            if (refused)
                throw std::move(*refused);
            co_await digest(operation);
        }
        if (taken - timed >= body_part_bytes) {
            timed = taken;
            stream_.expires_after(service_.options().request_time_max);
        }
        if (parser.is_done() || (!input_.empty() && (used != 0 || got != 0)))
            continue;
        if (input_.size() >= service_.options().header_bytes_max)
            throw header_too_large(service_.options().header_bytes_max); // of a chunk, or a trailer
        co_await read_some();
    }
    exchange.body_done = true;
}

/// Lets the operation work up what it took. While it waits it is not the client that is waited for.
asio::awaitable<void> session::digest(operation& operation)
{
    while (true) {
        auto lock = enter();
        auto const next = operation.digest();
        lock.unlock();
        if (!next)
            co_return;
        if (auto const* const refused = std::get_if<api_error>(&*next))
            throw api_error(*refused);
        if (auto const* const wanted = std::get_if<wait_for_end>(&*next)) {
            busy_ = true;
            co_await wait(*wanted);
            busy_ = false;
            stream_.expires_after(service_.options().request_time_max);
        } else {
            co_await asio::post(stream_.get_executor(), asio::use_awaitable);
        }
    }
}

asio::awaitable<void> session::skip_body(exchange& exchange)
{
    if (exchange.body_done)
        co_return;
    auto const length = exchange.head.content_length;
    bool const expects = !exchange.parser.get()[bhttp::field::expect].empty();
    if (!length || *length > skipped_body_bytes_max || expects) {
        exchange.after = after::linger;
        co_return;
    }
    stream_.expires_after(service_.options().request_time_max);
    while (input_.size() < *length)
        co_await read_some();
    input_.erase(0, *length);
    exchange.body_done = true;
}

asio::awaitable<void> session::wait(wait_for_end const& wanted)
{
    auto const timer =
        std::make_shared<asio::steady_timer>(stream_.get_executor(), wanted.at_most);
    waiting_ = timer;
    disarming const wakes{std::make_shared<waker>(timer)};
    auto const subscription = wanted.subscribe([waker = wakes.of] { waker->wake(); });
    error_code ended;
    co_await timer->async_wait(asio::redirect_error(asio::use_awaitable, ended));
    wanted.unsubscribe(subscription);
}

asio::awaitable<void> session::write(exchange& exchange, response answer)
{
    // From here on only the client is waited for: it may have to give way to another.
    busy_ = false;
    auto const& request = exchange.parser.get();
    unsigned const version = exchange.parser.is_header_done() ? request.version() : 11;
    bool const streamed = answer.rest != nullptr;
    bool const sized = !streamed || answer.rest_bytes;
    if (!sized && version < 11)
        exchange.after = after::close;

    bhttp::response<bhttp::string_body> message(static_cast<bhttp::status>(answer.status), version);
    message.set(bhttp::field::date, http_date());
    message.set(bhttp::field::content_type, answer.content_type);
    message.set(bhttp::field::cache_control, "no-store");
    message.set("X-Content-Type-Options", "nosniff");
    message.set("X-Request-Id", exchange.id);
    for (auto const& [name, value] : answer.fields)
        message.set(name, value);
    message.keep_alive(exchange.after == after::keep);
    if (sized)
        message.content_length(answer.body.size() + answer.rest_bytes.value_or(0));
    else
        message.chunked(version >= 11);
    if (!streamed && !exchange.bodiless)
        message.body() = std::move(answer.body);

    stream_.expires_after(service_.options().request_time_max);
    bhttp::response_serializer<bhttp::string_body> serializer(message);
    error_code error;
    if (streamed || exchange.bodiless)
        co_await bhttp::async_write_header(stream_, serializer,
                                           asio::redirect_error(asio::use_awaitable, error));
    else
        co_await bhttp::async_write(stream_, serializer,
                                    asio::redirect_error(asio::use_awaitable, error));
    if (error)
        throw connection_over{};
    last_active_ = std::chrono::steady_clock::now();
    if (streamed && !exchange.bodiless)
        co_await write_rest(exchange, answer);
}

asio::awaitable<void> session::write_rest(exchange& exchange, response& answer)
{
    bool const chunked = exchange.parser.get().version() >= 11 && !answer.rest_bytes;
    std::string piece = std::move(answer.body);
    bool more = true;
    while (more || !piece.empty()) {
        if (more) {
            auto const lock = enter();
            more = answer.rest->next(piece);
        }
        if (more && piece.size() < chunk_bytes) {
            co_await asio::post(stream_.get_executor(), asio::use_awaitable);
            continue;
        }
        if (piece.empty())
            break; // as a chunk it would end the answer
        stream_.expires_after(service_.options().request_time_max);
        error_code error;
        if (chunked)
            co_await asio::async_write(stream_, bhttp::make_chunk(asio::buffer(piece)),
                                       asio::redirect_error(asio::use_awaitable, error));
        else
            co_await asio::async_write(stream_, asio::buffer(piece),
                                       asio::redirect_error(asio::use_awaitable, error));
        if (error)
            throw connection_over{};
        last_active_ = std::chrono::steady_clock::now();
        piece.clear();
    }
    if (!chunked)
        co_return;
    error_code error;
    co_await asio::async_write(stream_, bhttp::make_chunk_last(),
                               asio::redirect_error(asio::use_awaitable, error));
    if (error)
        throw connection_over{};
}

asio::awaitable<void> session::linger()
{
    // Closing a socket that still has input resets the connection, and with it the answer.
    error_code ignored;
    stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    stream_.expires_after(lingering_time_max);
    std::size_t read = 0;
    while (read < lingering_bytes_max) {
        input_.clear();
        read += co_await read_some();
    }
}

} // namespace belay::http
