#include "server/listener.hpp"

#include "resources/resources.hpp"
#include "server/client_address.hpp"
#include "server/eviction.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <new>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

namespace belay::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr int accepted_at_once = 64;
constexpr std::chrono::milliseconds accepting_max{3};

/// A peer that is gone without a word, while it waits for an answer or an event, is found dead
/// within a minute and a half. Accepted sockets take these options over (tcp(7)).
void have_dead_peers_found(tcp::acceptor& acceptor)
{
    acceptor.set_option(tcp::acceptor::keep_alive(true));
    for (auto const& [option, value] :
         {std::pair(TCP_KEEPIDLE, 60), {TCP_KEEPINTVL, 10}, {TCP_KEEPCNT, 3}})
        if (::setsockopt(acceptor.native_handle(), IPPROTO_TCP, option, &value, sizeof value) != 0)
            throw boost::system::system_error(errno, boost::system::system_category());
}

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
    options.event_streams_max = std::min(options.event_streams_max, options.connections_max / 2);
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
      service_(engine, resources(), std::move(types), options_),
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
               .is_on_loopback = false}
{
    listen();
    pump_ = std::make_shared<event_pump>(executor_, service_, context_.log);
    pump_->connect();
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
    pump_->go_on();
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
    pump_->disconnect();
    context_.reading.close();
    context_.uploading.close();
    asio::post(executor_, [self = shared_from_this()] { self->close_all(); });
}

void server::listener::listen()
{
    tcp::endpoint const wanted(address_of(options_.address), options_.port);
    try {
        acceptor_.open(wanted.protocol());
        acceptor_.set_option(tcp::acceptor::reuse_address(true));
        acceptor_.bind(wanted);
        have_dead_peers_found(acceptor_);
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
        : in_(std::move(in)), sessions_(in_->context_.sessions),
          here_(sessions_.insert(sessions_.end(), std::move(of)))
    {
    }
    place(place const&) = delete;
    place& operator=(place const&) = delete;
    ~place() { sessions_.erase(here_); }

private:
    std::shared_ptr<listener> in_;
    std::list<std::shared_ptr<session>>& sessions_;
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
        co_await make_room();
        error_code error;
        tcp::socket socket =
            co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, error));
        if (!acceptor_.is_open())
            co_return;
        if (!error) {
            let_in(std::move(socket));
        } else if (!is_anyone_waiting()) { // a descriptor is wanted even to find that out
            co_await acceptor_.async_wait(tcp::acceptor::wait_read,
                                          asio::redirect_error(asio::use_awaitable, error));
        } else if (!give_one_up(error)) {
            asio::steady_timer pause(executor_, std::chrono::milliseconds(100));
            co_await pause.async_wait(asio::use_awaitable);
        }
    }
}

/// And with it those who wait behind it, for a flood of them must not take a round of the thread each.
void server::listener::let_in(tcp::socket socket)
{
    auto const end = clock::now() + accepting_max;
    error_code error;
    for (int number = 1; !error; ++number) {
        serve(std::move(socket));
        if (number == accepted_at_once || surplus() != 0 || clock::now() >= end)
            return;
        socket = acceptor_.accept(error); // what is wrong, if anything, is met by the next wait, too
    }
}

/// Has connections give way until there are no more than there may be. Those that were let in too much
/// are served meanwhile; there are only so many of them.
asio::awaitable<void> server::listener::make_room()
{
    while ((context_.places > options_.connections_max || surplus() != 0) && acceptor_.is_open()) {
        // What they have sent is read before some of them are chosen.
        for (int rounds = 0; rounds != 3; ++rounds)
            co_await asio::post(executor_, asio::use_awaitable);
        evict();
        for (std::size_t left = surplus(); left != 0 && close_leaving(); --left) {
        }
        co_await asio::post(executor_, asio::use_awaitable); // those that were closed end
        if (surplus() == 0)
            co_return;
        asio::steady_timer pause(executor_, std::chrono::milliseconds(5));
        co_await pause.async_wait(asio::use_awaitable);
    }
}

void server::listener::evict()
try {
    eviction evicts(context_.sessions, clock::now());
    while (context_.places > options_.connections_max)
        if (evicts.make(false) == eviction::room::none)
            return;
} catch (std::bad_alloc const&) { // those are there that were let in too much; they are bounded
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
    return had_spare ||
           eviction(context_.sessions, clock::now()).make(true) == eviction::room::at_once ||
           close_leaving();
}

void server::listener::serve(tcp::socket socket)
try {
    error_code ignored;
    if (!spare_.is_open())
        spare_.open(bound_.protocol(), ignored);
    auto const made = std::make_shared<session>(std::move(socket), context_);
    auto held = std::make_unique<place>(shared_from_this(), made);
    asio::co_spawn(executor_, run(made, std::move(held)),
                   [self = shared_from_this()](std::exception_ptr const&) {
                       self->go_on(); // there may be memory for it again
                   });
} catch (std::exception const& fault) { // there is no memory for it: it is closed
    context_.log.warn("accept", std::string("could not serve a connection: ") + fault.what());
}

/// How many there are too many even for a moment, with those that are on their way out.
std::size_t server::listener::surplus() const noexcept
{
    std::size_t const enough = options_.connections_max + options_.connections_max / 8 + 8;
    return context_.sessions.size() - std::min(enough, context_.sessions.size());
}

/// One that is on its way out; one that has not had its answer only if there is no other.
bool server::listener::close_leaving()
{
    session* found = nullptr;
    for (auto const& one : context_.sessions)
        if (one->is_open() && !one->state().has_place() && !one->state().is_busy() &&
            (found == nullptr || (one->state().is_lingering() && !found->state().is_lingering())))
            found = one.get();
    if (found != nullptr)
        found->close();
    return found != nullptr;
}

void server::listener::close_all() noexcept
{
    error_code ignored;
    acceptor_.close(ignored);
    spare_.close(ignored);
    again_.cancel();
    pump_->stop();
    for (auto const& session : context_.sessions)
        session->close();
}

/// Closes the connections that bodies come in and answers go out by.
void server::listener::cut_bodies() noexcept
{
    for (auto const& session : context_.sessions)
        if (!session->state().is_at_work())
            session->close();
}

/// Whether there is nobody left to be waited for.
bool server::listener::is_quiet(clock::time_point requests_until,
                                clock::time_point bodies_until) const
{
    auto const now = clock::now();
    return std::ranges::none_of(context_.sessions, [&](auto const& session) {
        return (session->state().is_at_work() && now < requests_until) ||
               (session->state().is_moving(now) && now < bodies_until);
    });
}

asio::awaitable<void> server::listener::end_when_quiet(clock::time_point end,
                                                       std::function<void()> done)
{
    auto const self = shared_from_this();
    service_.events().close();
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
