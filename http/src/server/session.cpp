#include "server/session.hpp"

#include "message/answers.hpp"
#include "message/text.hpp"
#include "server/client_address.hpp"
#include "server/exchange.hpp"
#include "server/in_turn.hpp"
#include "server/waker.hpp"

#include <belay/detail/shortage.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <functional>
#include <new>
#include <system_error>
#include <utility>
#include <variant>

namespace belay::http {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

/// How long a client that takes or sends nothing holds up a shutdown.
constexpr std::chrono::seconds still_after{2};

/// Who asks again before this time has passed since the last answer does so when the turn comes.
constexpr std::chrono::milliseconds fresh_after{100};

/// What holds less than this makes no room by giving way, and is never refused for it.
constexpr std::uint64_t large_bytes = 64 * 1024;

api_error too_many_requests()
{
    return unavailable("Too many requests are under way");
}

api_error too_many_bytes()
{
    return unavailable("Too many bytes of requests and answers are under way");
}

} // namespace

api_error gave_way()
{
    return unavailable("Too many requests are under way, and this one was given up for another");
}

session::session(asio::ip::tcp::socket socket, session_context& context)
    : connection_(std::move(socket)), context_(context), service_(context.service),
      turn_(connection_.get_executor()), place_(context.places, 1), held_(context.bytes)
{
}

void session::close() noexcept
{
    place_.set(0);
    connection_.close();
    end_wait();
}

/// In a line, for what is read, or for the engine.
void session::end_wait() noexcept
{
    turn_.cancel();
    if (auto const timer = waiting_.lock())
        timer->cancel();
}

void session::give_way() noexcept
{
    gives_way_ = true;
    place_.set(0);
    if (line_ != line::none)
        return end_wait();
    switch (phase_) {
    case phase::receiving: connection_.interrupt(); return;
    case phase::working: return;
    case phase::waiting:
        if (waits_since_)
            end_wait();
        return;
    case phase::idle:
    case phase::sending:
    case phase::lingering: close(); return;
    }
}

bool session::is_moving(std::chrono::steady_clock::time_point now) const noexcept
{
    bool const is_on_its_way = phase_ == phase::receiving || phase_ == phase::sending ||
                               (phase_ == phase::lingering && now < phase_began_ + still_after) ||
                               line_ == line::reading;
    return is_on_its_way && (line_ != line::none || now < connection_.last_moved() + still_after);
}

std::optional<double>
session::slowness(std::chrono::steady_clock::time_point now) const noexcept
{
    bool const is_waited_for = phase_ == phase::receiving || phase_ == phase::sending;
    if (!is_waited_for || line_ != line::none || gives_way_)
        return std::nullopt;
    return connection_.pace().slowness(now);
}

void session::set_phase(phase phase) noexcept
{
    phase_ = phase;
    if (phase == phase::lingering)
        place_.set(0);
    phase_began_ = std::chrono::steady_clock::now();
    connection_.restart_pace();
}

/// Held while what is done touches the engine.
std::unique_lock<std::mutex> session::enter()
{
    auto lock = service_.enter();
    if (service_.is_closed())
        throw connection_over{};
    return lock;
}

/// After a wait: throws if its connection was closed, or gives way and nothing is to be told.
void session::require_wanted() const
{
    if (!is_open())
        throw connection_over{};
    bool const is_to_be_told = has_acted_ && phase_ == phase::working;
    if (gives_way_ && !is_to_be_told)
        throw connection_interrupted{};
}

/// Whether it had no answer for a while.
bool session::is_fresh() const noexcept
{
    return std::chrono::steady_clock::now() >= answered_ + fresh_after;
}

/// Notes how much the request and its answer take. Where that is too much for all together one that
/// is slower gives way; false if there is none, unless most of it is its own.
bool session::fits(exchange const& exchange, std::uint64_t bytes)
{
    held_.set(bytes + connection_.input_capacity());
    std::uint64_t const most = service_.options().buffer_bytes_max;
    if (exchange.is_control || bytes < large_bytes || context_.bytes <= most ||
        context_.bytes - held_.get() <= most / 2)
        return true;
    auto const is_large = [this](session const& other) {
        return &other != this && other.bytes_held() >= large_bytes;
    };
    return context_.slowest_gives_way(is_large);
}

void session::hold(exchange const& exchange, std::uint64_t bytes)
{
    if (fits(exchange, bytes))
        return;
    held_.set(connection_.input_capacity());
    throw too_many_bytes();
}

void session::close_when_reset()
{
    connection_.when_maybe_reset([weak = weak_from_this()] {
        auto const session = weak.lock();
        if (!session || !session->is_open())
            return;
        if (session->connection_.is_reset())
            session->close();
        else
            session->close_when_reset();
    });
}

asio::awaitable<void> session::run()
{
    auto const self = shared_from_this();
    try {
        peer_ = connection_.peer();
        close_when_reset();
        while (co_await serve_one()) {
        }
    } catch (connection_over const&) {
    } catch (connection_interrupted const&) {
    } catch (api_error const&) { // of an answer that has begun
    } catch (std::exception const& fault) {
        context_.log.error("connection", std::string("a connection was closed: ") + fault.what());
    }
    close();
}

asio::awaitable<bool> session::serve_one()
{
    exchange exchange(service_.options().header_bytes_max);
    set_phase(phase::idle);
    if (co_await read_header(exchange))
        co_await answer_request(exchange);
    exchange.under_way.reset();
    is_limited_ = false;
    has_acted_ = false;
    held_.set(0);
    answered_ = std::chrono::steady_clock::now();
    if (exchange.after == after::keep)
        co_return true;
    if (exchange.after == after::close)
        connection_.end_sending();
    co_await linger(exchange);
    co_return false;
}

asio::awaitable<void> session::answer_request(exchange& exchange)
{
    std::unique_ptr<operation> operation;
    auto refused = std::move(exchange.refused);
    if (!refused) {
        set_phase(phase::working);
        auto const admitting = [&] { return admit(exchange, operation); };
        try {
            refused = co_await in_turn(exchange, admitting);
        } catch (connection_interrupted const&) {
            refused = gave_way();
        }
    }
    if (refused) {
        co_await skip_body(exchange);
        co_await write(exchange, failed(*refused, exchange.id));
        co_return;
    }
    response answer = co_await perform(exchange, *operation);
    co_await write(exchange, std::move(answer));
}

/// Why the request is refused, or what it does in `operation`.
std::optional<api_error> session::admit(exchange& exchange, std::unique_ptr<operation>& operation)
{
    try {
        auto admitted = service_.admit(exchange.head, std::move(*exchange.found));
        if (!admitted)
            return admitted.error().status == 401 ? wrong_key(exchange, admitted.error())
                                                  : admitted.error();
        operation = std::move(*admitted);
    } catch (std::bad_alloc const&) {
        return out_of_memory();
    }
    if (is_full_for(*operation))
        return too_many_requests();
    return std::nullopt;
}

/// What is wrong with the key, or that there were too many such requests from there.
api_error session::wrong_key(exchange const& exchange, api_error const& error)
{
    auto const now = std::chrono::steady_clock::now();
    auto const address =
        client_address(peer_, exchange.forwarded_for, context_.trusted_proxies);
    auto const [wait, is_first] = context_.wrong_keys.note(network_of(address), now);
    if (wait.count() == 0)
        return error;
    if (is_first)
        context_.log.warn("wrong key",
                          address.to_string() + " sends too many requests without a right key");
    auto const reset = std::chrono::system_clock::now() + wait;
    return rate_limit_error(context_.wrong_keys.most(), 0,
                            std::chrono::system_clock::to_time_t(reset), wrong_keys::window.count());
}

/// Whether there are as many as there may be, and no slow one gives way.
bool session::is_full_for(operation const& operation)
{
    if (!operation.is_limited() || context_.limited < service_.options().requests_max)
        return false;
    return !context_.slowest_gives_way([](session const& other) { return other.is_limited(); });
}

asio::awaitable<response> session::perform(exchange& exchange, operation& operation)
{
    auto const answer_with = [&](api_error const& error) {
        exchange.after = exchange.body_done ? exchange.after : after::linger;
        return failed(error, exchange.id);
    };
    std::string fault;
    try {
        co_return co_await work(exchange, operation);
    } catch (api_error const& error) {
        co_return answer_with(error);
    } catch (connection_interrupted const&) {
        co_return answer_with(gave_way());
    } catch (std::bad_alloc const&) {
        co_return answer_with(out_of_memory());
    } catch (std::system_error const& thrown) {
        if (detail::is_shortage(thrown.code()))
            co_return answer_with(unavailable(thrown.what()));
        fault = thrown.what();
    } catch (std::exception const& thrown) {
        fault = thrown.what();
    }
    context_.log.error("request", exchange.id + ": " + exchange.head.method + ' ' +
                                      shown(exchange.head.target, 256) + " failed: " + fault);
    exchange.after = after::linger;
    co_return failed(processing_error("The request failed inside the server"), exchange.id);
}

asio::awaitable<response> session::work(exchange& exchange, operation& operation)
{
    // A body that is not wanted is dropped, and only then the request is under way.
    if (!exchange.body_done && operation.body_bytes_max() == 0) {
        co_await read_body(exchange, operation);
        if (is_full_for(operation))
            throw too_many_requests();
    }
    is_limited_ = operation.is_limited();
    exchange.under_way.emplace(is_limited_ ? context_.limited : context_.unlimited, 1);
    if (!exchange.body_done)
        co_await read_body(exchange, operation);
    set_phase(phase::working);
    has_acted_ = exchange.head.method != "GET" && exchange.head.method != "HEAD";
    auto const proceed = [&] { return operation.proceed(); };
    while (true) {
        step next = co_await in_turn(exchange, proceed);
        if (auto* const answer = std::get_if<response>(&next)) {
            co_await make_first_piece(*answer);
            hold(exchange, answer->body.capacity());
            co_return std::move(*answer);
        }
        if (auto* const error = std::get_if<api_error>(&next))
            throw std::move(*error);
        if (auto const* const wanted = std::get_if<wait_for_end>(&next))
            co_await wait_if_possible(*wanted);
        else if (exchange.needs_no_turn())
            co_await asio::post(connection_.get_executor(), asio::use_awaitable);
    }
}

/// Of an answer that is made bit by bit. What can't be read at all has a status of its own still,
/// and what is whole by then its size.
asio::awaitable<void> session::make_first_piece(response& answer)
{
    if (!answer.rest || answer.rest_bytes)
        co_return;
    bool const more = co_await add_piece(answer, answer.body);
    if (!more)
        answer.rest.reset();
}

/// Adds the next piece of what an answer has still; false if there is no more.
asio::awaitable<bool> session::add_piece(response& answer, std::string& piece)
{
    struct reading {
        std::unique_ptr<body_source> from;
        std::string piece;
        bool more = true;
    };
    auto const reads = std::make_shared<reading>(std::move(answer.rest), std::move(piece));
    auto const timer = std::make_shared<asio::steady_timer>(connection_.get_executor());
    waiting_ = timer;
    std::function<void()> const read = [reads] { reads->more = reads->from->next(reads->piece); };
    std::optional<queued> waits(std::in_place, *this, line::reading);
    bool const is_done = co_await context_.reading.run(timer, read);
    waits.reset();
    require_wanted();
    if (!is_done)
        throw connection_over{};
    answer.rest = std::move(reads->from);
    piece = std::move(reads->piece);
    co_return reads->more;
}

/// What may be cut is answered at once where there is no memory to wait.
asio::awaitable<void> session::wait_if_possible(wait_for_end const& wanted)
{
    try {
        co_await wait(wanted);
    } catch (std::bad_alloc const&) {
        set_phase(phase::working);
        if (!wanted.may_be_cut)
            throw;
    }
}

asio::awaitable<void> session::wait(wait_for_end const& wanted)
{
    struct no_longer {
        session& of;
        ~no_longer() { of.waits_since_.reset(); }
    } const waits{*this};
    auto const timer =
        std::make_shared<asio::steady_timer>(connection_.get_executor(), wanted.at_most);
    waiting_ = timer;
    set_phase(phase::waiting);
    if (wanted.may_be_cut)
        waits_since_ = phase_began_;
    {
        disarming const wakes{std::make_shared<waker>(timer)};
        auto const subscription = wanted.subscribe([waker = wakes.of] { waker->wake(); });
        error_code ended;
        co_await timer->async_wait(asio::redirect_error(asio::use_awaitable, ended));
        wanted.unsubscribe(subscription);
    }
    set_phase(phase::working);
    if (!is_open())
        throw connection_over{};
}

} // namespace belay::http
