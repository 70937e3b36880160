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

asio::awaitable<void> session_waits::read(std::function<void()> work, disk_lane lane)
{
    auto const timer = std::make_shared<asio::steady_timer>(connection_.get_executor());
    waiting_ = timer;
    queued waits(*this, queued::line::reading);
    reading_thread& thread = lane == disk_lane::uploads ? context_.uploading : context_.reading;
    bool const is_done = co_await thread.run(timer, work);
    waits.go_on();
    if (!is_done)
        throw connection_over{};
}

asio::awaitable<bool> session_waits::add_piece(response& answer, std::string& piece)
{
    struct next_piece {
        std::unique_ptr<body_source> from;
        std::string piece;
        bool more = true;
    };
    auto const reads = std::make_shared<next_piece>(std::move(answer.rest), std::move(piece));
    std::function<void()> const work = [reads] { reads->more = reads->from->next(reads->piece); };
    co_await read(work, disk_lane::reads); // g++ 12 destroys what is made in this expression twice
    answer.rest = std::move(reads->from);
    piece = std::move(reads->piece);
    co_return reads->more;
}

namespace {

/// What a session does once a wait of its is over, however that ends.
struct afterwards {
    activity& of;
    activity::phase next;
    ~afterwards() { of.begin(next, clock::now()); }
};

} // namespace

asio::awaitable<void> session_waits::until_end(wait_for_end const& wanted)
{
    {
        afterwards const working{activity_, activity::phase::working};
        activity_.begin_wait(wanted.may_be_cut, clock::now());
        auto const timer = timer_for(wanted);
        co_await wait(wanted, timer);
    }
    if (!connection_.is_open())
        throw connection_over{};
}

/// Ends the wait that there is then once the client has ended its side, or sent something: that is
/// seen once, and not taken for more than it is.
struct session_waits::client_watch {
    std::weak_ptr<asio::steady_timer> wait;
};

session_waits::~session_waits() = default;

asio::awaitable<void> session_waits::until_news(wait_for_end const& wanted)
{
    if (!watch_) {
        watch_ = std::make_shared<client_watch>();
        connection_.when_readable([watch = watch_] {
            if (auto const timer = watch->wait.lock())
                timer->cancel();
        });
    }
    if (!connection_.has_client_finished()) {
        afterwards const sending{activity_, activity::phase::sending};
        activity_.begin(activity::phase::following, clock::now());
        auto const timer = timer_for(wanted);
        watch_->wait = timer;
        co_await wait(wanted, timer);
        activity_.moved(0, clock::now()); // it was not the client that was silent
    }
    if (!connection_.is_open() || connection_.has_client_finished())
        throw connection_over{};
}

std::shared_ptr<asio::steady_timer> session_waits::timer_for(wait_for_end const& wanted)
{
    auto timer = std::make_shared<asio::steady_timer>(connection_.get_executor(), wanted.at_most);
    waiting_ = timer;
    return timer;
}

asio::awaitable<void> session_waits::wait(wait_for_end const& wanted,
                                          std::shared_ptr<asio::steady_timer> timer)
{
    disarming const wakes{std::make_shared<waker>(timer)};
    auto const subscription = wanted.subscribe([waker = wakes.of] { waker->wake(); });
    boost::system::error_code ended;
    co_await timer->async_wait(asio::redirect_error(asio::use_awaitable, ended));
    wanted.unsubscribe(subscription);
}

} // namespace belay::http
