#include "listener.hpp"

#include "client_address.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <exception>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>

#include <poll.h>

namespace belay::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

/// A request may just be on its way on a connection that was idle for less, and a cancel that has
/// waited for less may just be over.
constexpr std::chrono::seconds settled_after{1};

/// Most clients that connect ask for something before this.
constexpr std::chrono::milliseconds asks_within{100};

constexpr int accepted_at_once = 16;

/// So many connections are asked for what has come on them: it takes a call of the system each.
constexpr int asked_max = 16;

asio::ip::address address_of(std::string const& text)
{
    error_code wrong;
    auto const address = asio::ip::make_address(text, wrong);
    if (wrong)
        throw error(errc::invalid_argument, "address '" + text + "' is neither IPv4 nor IPv6");
    return address;
}

std::vector<asio::ip::address> addresses_of(std::vector<std::string> const& texts)
{
    std::vector<asio::ip::address> addresses;
    for (auto const& text : texts)
        addresses.push_back(plain(address_of(text)));
    return addresses;
}

server_options with_room(server_options options)
{
    for (auto const& host : options.allowed_hosts)
        if (!is_host_name(host))
            throw error(errc::invalid_argument,
                        "allowed host '" + host + "' is not a name without a scheme or a port");
    options.header_bytes_max = std::min(options.header_bytes_max, header_bytes_most);
    options.requests_max = std::min(options.requests_max, requests_within(options.connections_max));
    return options;
}

} // namespace

std::size_t requests_within(std::size_t connections_max) noexcept
{
    return std::max<std::size_t>(connections_max - connections_max / 8, 1);
}

server::listener::listener(engine& engine, std::vector<offered_type> types, server_options given,
                           asio::any_io_executor executor)
    : options_(with_room(std::move(given))),
      service_(engine, std::move(types), options_),
      executor_(std::move(executor)),
      acceptor_(executor_),
      spare_(executor_),
      again_(executor_),
      context_{.service = service_,
               .control = turns(executor_, turn_share(std::chrono::milliseconds(1))),
               .bulk = turns(executor_),
               .wrong_keys = wrong_keys(options_.wrong_keys_max),
               .trusted_proxies = addresses_of(options_.trusted_proxies),
               .listen_address = {},
               .is_on_loopback = false,
               .slowest_gives_way =
                   [this](auto const& counts) { return slowest_gives_way(counts); }}
{
    listen();
    context_.listen_address = bound_.address().to_string();
    context_.is_on_loopback = bound_.address().is_loopback();
}

void server::listener::start()
{
    // What it could not do for want of memory, say, it does once there is some.
    asio::co_spawn(executor_, accept(),
                   [self = shared_from_this()](std::exception_ptr const&) { self->go_on(); });
}

void server::listener::go_on()
{
    context_.control.go_on();
    context_.bulk.go_on();
    if (is_accepting_ || !acceptor_.is_open())
        return;
    try {
        start();
        is_accepting_ = true;
    } catch (std::exception const&) {
        go_on_soon();
    }
}

void server::listener::go_on_soon()
{
    again_.expires_after(std::chrono::milliseconds(100));
    again_.async_wait([self = shared_from_this()](error_code problem) {
        if (!problem)
            self->go_on();
    });
}

void server::listener::shut_down(std::chrono::milliseconds at_most, std::function<void()> done)
{
    service_.stop_serving();
    asio::co_spawn(executor_, end_when_quiet(clock::now() + at_most, std::move(done)),
                   asio::detached);
}

void server::listener::close()
{
    service_.close();
    context_.reading.close();
    asio::post(executor_, [self = shared_from_this()] { self->close_all(); });
}

void server::listener::listen()
{
    tcp::endpoint const wanted(address_of(options_.address), options_.port);
    try {
        acceptor_.open(wanted.protocol());
        acceptor_.set_option(tcp::acceptor::reuse_address(true));
        acceptor_.bind(wanted);
        acceptor_.listen();
        acceptor_.non_blocking(true);
    } catch (boost::system::system_error const& error) {
        std::ostringstream where;
        where << wanted;
        throw std::system_error(error.code(), "can't listen on " + where.str());
    }
    bound_ = acceptor_.local_endpoint();
    error_code ignored;
    spare_.open(wanted.protocol(), ignored);
}

/// In the frame of a coroutine, which may end without its completion handler: where there is no memory
/// to wait for something Asio lets go of it.
struct server::listener::accepting {
    std::shared_ptr<listener> of;
    ~accepting() { of->is_accepting_ = false; }
};

/// The same for a session: it is one of those that there are while this lives.
class server::listener::place {
public:
    place(std::shared_ptr<listener> in, std::shared_ptr<session> of)
        : in_(std::move(in)), here_(in_->sessions_.insert(in_->sessions_.end(), std::move(of)))
    {
    }
    place(place const&) = delete;
    place& operator=(place const&) = delete;
    ~place() { in_->sessions_.erase(here_); }

private:
    std::shared_ptr<listener> in_;
    std::list<std::shared_ptr<session>>::iterator here_;
};

asio::awaitable<void> server::listener::run(std::shared_ptr<session> session,
                                            std::unique_ptr<place> /*kept until it ends*/)
{
    co_await session->run();
}

asio::awaitable<void> server::listener::accept()
{
    accepting const self{shared_from_this()};
    while (acceptor_.is_open()) {
        error_code error;
        tcp::socket socket =
            co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, error));
        if (!acceptor_.is_open())
            co_return;
        if (!error) {
            // What the others have sent is read before one of them is chosen to give way.
            for (int rounds = 0; rounds != 3 && places_taken() >= options_.connections_max; ++rounds)
                co_await asio::post(executor_, asio::use_awaitable);
            if (!acceptor_.is_open())
                co_return;
            serve(std::move(socket));
            accept_more();
        } else if (!is_anyone_waiting()) { // a descriptor is wanted even to find that out
            co_await acceptor_.async_wait(tcp::acceptor::wait_read,
                                          asio::redirect_error(asio::use_awaitable, error));
        } else if (!give_one_up(error)) {
            asio::steady_timer pause(executor_, std::chrono::milliseconds(100));
            co_await pause.async_wait(asio::use_awaitable);
        }
    }
}

/// Those who wait are let in several at a time: a flood of them must not take a round of the thread each.
/// Not where others have to give way for them, whose requests may have come meanwhile.
void server::listener::accept_more()
{
    error_code error;
    for (int others = 1; others != accepted_at_once; ++others) {
        if (places_taken() >= options_.connections_max)
            return;
        tcp::socket socket = acceptor_.accept(error);
        if (error) // as a rule there is none; else the next wait meets it, too
            return;
        serve(std::move(socket));
    }
}

bool server::listener::is_anyone_waiting()
{
    pollfd waiting{.fd = acceptor_.native_handle(), .events = POLLIN, .revents = 0};
    return ::poll(&waiting, 1, 0) == 1;
}

/// Out of descriptors, most likely. Whether one was free at once.
bool server::listener::give_one_up(error_code const& error)
{
    context_.log.warn("accept", "could not accept a connection: " + error.message());
    bool const had_spare = spare_.is_open();
    error_code ignored;
    spare_.close(ignored);
    return had_spare || make_place(true) == room::at_once;
}

void server::listener::serve(tcp::socket socket)
try {
    error_code ignored;
    if (!spare_.is_open())
        spare_.open(bound_.protocol(), ignored);
    if (places_taken() >= options_.connections_max && make_place(false) == room::none)
        return; // it is closed
    limit_surplus();
    auto const made = std::make_shared<session>(std::move(socket), context_);
    auto held = std::make_unique<place>(shared_from_this(), made);
    asio::co_spawn(executor_, run(made, std::move(held)),
                   [self = shared_from_this()](std::exception_ptr const&) {
                       self->go_on(); // there may be memory for it again
                   });
} catch (std::exception const& fault) { // there is no memory for it: it is closed
    context_.log.warn("accept", std::string("could not serve a connection: ") + fault.what());
}

/// Has a connection give way to another, if the other can wait one that has been silent or a cancel that
/// has waited for a while.
server::listener::room server::listener::make_place(bool can_wait)
{
    auto const now = clock::now();
    auto const silent_ones = longest_silent(false);
    session* const silent = silent_ones.empty() ? nullptr : silent_ones.front();
    auto const is_silent_for = [&](clock::duration time) {
        return silent != nullptr && silent->last_active() <= now - time;
    };
    auto const close = [](session* one) { return one->close(), room::at_once; };
    auto const give_way = [](session* one) { return one->give_way(), room::soon; };
    if (is_silent_for(settled_after))
        return close(silent);
    for (auto* const one : silent_ones)
        if (one->has_client_finished())
            return close(one);
    auto const waiting = longest_waiting();
    for (auto* const one : waiting)
        if (one->has_client_finished())
            return give_way(one);
    if (!waiting.empty() && *waiting.front()->waits_since() <= now - settled_after)
        return give_way(waiting.front());
    if (is_silent_for(asks_within))
        return close(silent);
    if (can_wait)
        return room::none;
    if (!waiting.empty() && !is_silent_for(now - *waiting.front()->waits_since()))
        return give_way(waiting.front());
    if (auto const kept = longest_silent(true); !kept.empty())
        return close(kept.front());
    if (session* const queued = any_queued())
        return give_way(queued);
    if (silent != nullptr)
        return close(silent);
    if (session* const other = longest_idle())
        return close(other);
    auto const between = first_of(&session::last_active, [](session const& one) {
        return one.is_open() && one.is_between_pieces() && !one.gives_way();
    });
    return between.empty() ? room::none : give_way(between.front());
}

/// Without those that are on their way out.
std::size_t server::listener::places_taken() const
{
    if (sessions_.size() < options_.connections_max)
        return sessions_.size();
    auto const stays = [](auto const& one) {
        return one->is_open() && !one->is_lingering() && !one->gives_way();
    };
    return static_cast<std::size_t>(std::ranges::count_if(sessions_, stays));
}

/// There are only so many of them.
void server::listener::limit_surplus()
{
    std::size_t const most = options_.connections_max / 8 + 8;
    if (sessions_.size() < options_.connections_max + most)
        return;
    auto const found = std::ranges::find_if(sessions_, [](auto const& session) {
        return session->is_open() && session->is_lingering();
    });
    if (found != sessions_.end())
        (*found)->close();
}

/// The one on which nothing has moved for longest, without a request under way; one that is new, and may
/// be about to ask for something, only if there is no other.
session* server::listener::longest_idle() const
{
    auto const order = [](session const& of) { return std::pair(of.is_new(), of.last_active()); };
    session* longest = nullptr;
    for (auto const& session : sessions_)
        if (session->is_open() && !session->is_busy() &&
            (longest == nullptr || order(*session) < order(*longest)))
            longest = session.get();
    return longest;
}

/// The first of such ones, without those on which something has come that is still to be read; only after
/// an answer, where that is asked for.
std::vector<session*> server::listener::longest_silent(bool after_an_answer) const
{
    auto idle = first_of(&session::last_active, [&](session const& one) {
        return one.is_open() && !one.is_busy() && (!after_an_answer || one.has_answered());
    });
    std::erase_if(idle, [](session* one) { return one->has_client_sent(); });
    return idle;
}

/// Cancels, the first of them.
std::vector<session*> server::listener::longest_waiting() const
{
    return first_of(&session::waits_since, [](session const& one) {
        return one.waits_since() && !one.gives_way();
    });
}

/// Some of those that count, by that measure.
template <class Measure, class Counts>
std::vector<session*> server::listener::first_of(Measure measure, Counts counts) const
{
    std::vector<session*> found;
    for (auto const& session : sessions_)
        if (counts(*session))
            found.push_back(session.get());
    auto const some = std::min<std::size_t>(found.size(), asked_max);
    std::ranges::partial_sort(found, found.begin() + static_cast<std::ptrdiff_t>(some), {}, measure);
    found.resize(some);
    return found;
}

/// One whose cancel it is only if there is no other.
session* server::listener::any_queued() const
{
    session* found = nullptr;
    for (auto const& session : sessions_)
        if (session->is_open() && session->is_only_queued() && !session->gives_way() &&
            (found == nullptr || found->is_queued_as_control()))
            found = session.get();
    return found;
}

bool server::listener::slowest_gives_way(std::function<bool(session const&)> const& counts)
{
    auto const now = clock::now();
    session* slowest = nullptr;
    double most = 0;
    for (auto const& session : sessions_) {
        auto const slowness = session->slowness(now);
        if (slowness && *slowness > most && counts(*session)) {
            slowest = session.get();
            most = *slowness;
        }
    }
    if (slowest != nullptr)
        slowest->give_way();
    return slowest != nullptr;
}

void server::listener::close_all() noexcept
{
    error_code ignored;
    acceptor_.close(ignored);
    spare_.close(ignored);
    again_.cancel();
    for (auto const& session : sessions_)
        session->close();
}

/// Closes the connections that bodies come in and answers go out by.
void server::listener::cut_bodies() noexcept
{
    for (auto const& session : sessions_)
        if (!session->is_at_work())
            session->close();
}

/// Whether there is nobody left to be waited for.
bool server::listener::is_quiet(clock::time_point requests_until,
                                clock::time_point bodies_until) const
{
    auto const now = clock::now();
    return std::ranges::none_of(sessions_, [&](auto const& session) {
        return (session->is_at_work() && now < requests_until) ||
               (session->is_moving(now) && now < bodies_until);
    });
}

asio::awaitable<void> server::listener::end_when_quiet(clock::time_point end,
                                                       std::function<void()> done)
{
    auto const self = shared_from_this();
    auto const bodies_end = std::min(end, clock::now() + options_.shutdown_time_max);
    bool are_bodies_cut = false;
    while (!is_quiet(end, bodies_end) && acceptor_.is_open()) {
        if (!are_bodies_cut && clock::now() >= bodies_end) {
            are_bodies_cut = true;
            cut_bodies();
        }
        asio::steady_timer pause(executor_, std::chrono::milliseconds(5));
        co_await pause.async_wait(asio::use_awaitable);
    }
    close_all();
    if (!service_.is_closed())
        done();
}

} // namespace belay::http
