#include "server/request_handler.hpp"

#include "message/accept.hpp"
#include "message/answers.hpp"
#include "message/text.hpp"

#include <belay/detail/shortage.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/status.hpp>

#include <chrono>
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>

namespace belay::http {

namespace asio = boost::asio;
using clock = std::chrono::steady_clock;
using phase = activity::phase;

namespace {

/// A body that comes in more parts than these is no longer read at once, whatever it is of.
constexpr int reads_at_once = 4;

/// The error in the form that the request wants.
response refusal(api_error const& error, exchange const& exchange)
{
    if (!accepts_problems(exchange.head().accept))
        return failed(error, exchange.id());
    auto const phrase =
        boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(error.status));
    return failed_as_problem(error, exchange.id(), {phrase.data(), phrase.size()});
}

} // namespace

request_handler::request_handler(connection& connection, activity& activity, session_waits& waits,
                                 memory_use& memory, session_context& context)
    : connection_(connection),
      activity_(activity),
      waits_(waits),
      memory_(memory),
      context_(context),
      admission_(context, connection.peer()),
      receiver_(connection, activity, waits, context)
{
}

asio::awaitable<response> request_handler::handle(exchange& exchange)
{
    auto refused = co_await receiver_.find_header(exchange.reader);
    exchange.is_first = activity_.is_fresh(clock::now());
    auto const opening = [&] { return open(exchange); };
    auto const admitting = [&] { return admission_.admit(exchange); };
    try {
        if (!refused)
            refused = co_await waits_.in_turn(exchange, opening);
        if (!refused) {
            activity_.begin(phase::working, clock::now());
            refused = co_await waits_.in_turn(exchange, admitting);
        }
    } catch (connection_interrupted const&) {
        refused = gave_way();
    }
    if (!refused)
        co_return co_await perform(exchange);
    co_await receiver_.skip_body(exchange.reader);
    co_return refusal(*refused, exchange);
}

/// Reads the header that is there and looks up what it leads to; or why it is refused.
std::optional<api_error> request_handler::open(exchange& exchange)
{
    if (auto unreadable = receiver_.parse_header(exchange.reader))
        return unreadable;
    return admission_.look_up(exchange);
}

asio::awaitable<response> request_handler::perform(exchange& exchange)
{
    std::string fault;
    try {
        co_return co_await work(exchange, *exchange.operation);
    } catch (api_error const& error) {
        co_return refusal(error, exchange);
    } catch (connection_interrupted const&) {
        co_return refusal(gave_way(), exchange);
    } catch (std::bad_alloc const&) {
        co_return refusal(out_of_memory(), exchange);
    } catch (std::system_error const& thrown) {
        if (detail::is_shortage(thrown.code()))
            co_return refusal(unavailable(thrown.what()), exchange);
        fault = thrown.what();
    } catch (std::exception const& thrown) {
        fault = thrown.what();
    }
    context_.log.error("request", exchange.id() + ": " + exchange.head().method + ' ' +
                                      shown(exchange.head().target, 256) + " failed: " + fault);
    exchange.keep_at_most(after::linger);
    co_return refusal(processing_error("The request failed inside the server"), exchange);
}

asio::awaitable<response> request_handler::work(exchange& exchange, operation& operation)
{
    // A body that is not wanted is dropped, and only then the request is under way.
    if (!exchange.reader.is_done() && operation.body_bytes_max() == 0) {
        co_await read_body(exchange, operation);
        if (auto full = admission_.check_room(operation))
            throw std::move(*full);
    }
    begin(exchange, operation.is_limited());
    if (!exchange.reader.is_done())
        co_await read_body(exchange, operation);
    activity_.begin(phase::working, clock::now());
    if (exchange.changes)
        activity_.act();
    auto const proceed = [&] { return operation.proceed(); };
    while (true) {
        step next = co_await waits_.in_turn(exchange, proceed);
        if (auto* const answer = std::get_if<response>(&next)) {
            co_await make_first_piece(*answer);
            memory_.hold(answer->body.capacity());
            co_return std::move(*answer);
        }
        if (auto* const error = std::get_if<api_error>(&next))
            throw std::move(*error);
        if (auto const* const wanted = std::get_if<wait_for_end>(&next))
            co_await wait_if_possible(*wanted);
        else if (auto const* const reads = std::get_if<reading>(&next))
            co_await waits_.read(reads->work, reads->lane);
        else if (exchange.needs_no_turn())
            co_await asio::post(connection_.get_executor(), asio::use_awaitable);
    }
}

/// From here on the request counts as one that is under way.
void request_handler::begin(exchange& exchange, bool is_limited)
{
    if (is_limited)
        activity_.begin_limited();
    exchange.under_way.emplace(is_limited ? context_.limited : context_.unlimited, 1);
}

asio::awaitable<void> request_handler::read_body(exchange& exchange, operation& operation)
{
    bool const is_wanted = operation.body_bytes_max() != 0;
    request_reader& reader = exchange.reader;
    co_await receiver_.begin_body(reader,
                                  is_wanted ? operation.body_bytes_max() : unwanted_body_bytes_max);
    bool is_short = false;
    auto const take = [&]() -> std::optional<pause> {
        auto const piece = receiver_.next(reader);
        if (!piece)
            return piece.error();
        is_short = piece->empty();
        if (is_short || !is_wanted)
            return std::nullopt;
        if (auto refused = operation.take(*piece))
            return std::move(*refused);
        return operation.digest();
    };
    auto const digest = [&] { return operation.digest(); };
    for (int reads = 0; !reader.is_done();) {
        if (is_short || receiver_.is_empty()) {
            co_await receiver_.receive();
            exchange.is_first = exchange.is_first && ++reads < reads_at_once;
        }
        auto next = co_await waits_.in_turn(exchange, take);
        while (next) {
            if (auto* const refused = std::get_if<api_error>(&*next))
                throw std::move(*refused);
            if (auto const* const wanted = std::get_if<wait_for_end>(&*next)) {
                co_await waits_.until_end(*wanted);
                activity_.begin(phase::receiving, clock::now());
                receiver_.go_on(reader);
            } else if (auto const* const reads = std::get_if<reading>(&*next)) {
                co_await waits_.read(reads->work, reads->lane);
            }
            next = co_await waits_.in_turn(exchange, digest);
        }
        memory_.hold_body(operation.bytes_held());
    }
}

/// Of an answer that is made bit by bit. What can't be read at all has a status of its own still,
/// and what is whole by then its size.
asio::awaitable<void> request_handler::make_first_piece(response& answer)
{
    if (!answer.rest || answer.rest_bytes)
        co_return;
    bool const more = co_await waits_.add_piece(answer, answer.body);
    if (!more)
        answer.rest.reset();
}

/// What may be cut is answered at once where there is no memory to wait.
asio::awaitable<void> request_handler::wait_if_possible(wait_for_end const& wanted)
{
    try {
        co_await waits_.until_end(wanted);
    } catch (std::bad_alloc const&) {
        activity_.begin(phase::working, clock::now());
        if (!wanted.may_be_cut)
            throw;
    }
}

} // namespace belay::http
