#include "server/session_waits.hpp"

#include "server/waker.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <functional>
#include <utility>

namespace belay::http {

namespace asio = boost::asio;
using clock = std::chrono::steady_clock;

api_error gave_way()
{
    return unavailable("Too many requests are under way, and this one was given up for another");
}

session_waits::session_waits(connection& connection, activity& activity, session_context& context)
    : connection_(connection),
      activity_(activity),
      context_(context),
      turn_(connection.get_executor())
{
}

session_waits::queued::queued(session_waits& in, line line) : in_(in)
{
    in_.activity_.enter_line(line, clock::now());
}

session_waits::queued::~queued()
{
    step_out();
}

void session_waits::queued::go_on()
{
    step_out();
    if (!in_.connection_.is_open())
        throw connection_over{};
    if (in_.activity_.is_given_up())
        throw connection_interrupted{};
}

void session_waits::queued::step_out() noexcept
{
    if (std::exchange(is_in_, false))
        in_.connection_.extend(in_.activity_.leave_line(clock::now()));
}

void session_waits::end() noexcept
{
    turn_.cancel();
    if (auto const timer = waiting_.lock())
        timer->cancel();
}

/// Held while what is done touches the engine.
std::unique_lock<std::mutex> session_waits::enter()
{
    auto lock = context_.service.enter();
    if (context_.service.is_closed())
        throw connection_over{};
    return lock;
}

asio::awaitable<bool> session_waits::add_piece(response& answer, std::string& piece)
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
    queued waits(*this, queued::line::reading);
    bool const is_done = co_await context_.reading.run(timer, read);
    waits.go_on();
    if (!is_done)
        throw connection_over{};
    answer.rest = std::move(reads->from);
    piece = std::move(reads->piece);
    co_return reads->more;
}

asio::awaitable<void> session_waits::until_end(wait_for_end const& wanted)
{
    struct waiting {
        activity& of;
        ~waiting() { of.begin(activity::phase::working, clock::now()); }
    };
    {
        auto const timer =
            std::make_shared<asio::steady_timer>(connection_.get_executor(), wanted.at_most);
        waiting_ = timer;
        waiting const begun{activity_};
        activity_.begin_wait(wanted.may_be_cut, clock::now());
        disarming const wakes{std::make_shared<waker>(timer)};
        auto const subscription = wanted.subscribe([waker = wakes.of] { waker->wake(); });
        boost::system::error_code ended;
        co_await timer->async_wait(asio::redirect_error(asio::use_awaitable, ended));
        wanted.unsubscribe(subscription);
    }
    if (!connection_.is_open())
        throw connection_over{};
}

} // namespace belay::http
