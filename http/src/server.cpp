#include <belay/http/server.hpp>

#include "service.hpp"
#include "session.hpp"

#include <spdlog/spdlog.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <exception>
#include <future>
#include <list>
#include <memory>
#include <sstream>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <poll.h>

namespace belay::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

/// What accepts connections, and the sessions. All of it runs on one executor that does one thing
/// at a time; what waits there owns it.
class server::listener : public std::enable_shared_from_this<listener> {
public:
    listener(engine& engine, std::vector<offered_type> types, server_options given,
             asio::any_io_executor executor)
        : options_(std::move(given)),
          service_(engine, std::move(types), options_),
          executor_(std::move(executor)),
          acceptor_(executor_),
          spare_(executor_),
          again_(executor_)
    {
        listen();
    }

    void start()
    {
        // What it could not do for want of memory, say, it does once there is some.
        asio::co_spawn(executor_, accept(), [self = shared_from_this()](std::exception_ptr const&) {
            self->is_accepting_ = false;
            self->go_on();
        });
    }

    /// On the executor: accepts again if that has ended before its time. Throws where there is
    /// memory neither for that nor to wait until there is: then it is to be called again.
    void go_on()
    {
        if (is_accepting_ || !acceptor_.is_open())
            return;
        try {
            start();
            is_accepting_ = true;
        } catch (std::exception const&) {
            again_.expires_after(std::chrono::milliseconds(100));
            again_.async_wait([self = shared_from_this()](error_code problem) {
                if (!problem)
                    self->go_on();
            });
        }
    }

    [[nodiscard]] tcp::endpoint const& bound() const noexcept { return bound_; }

    void shut_down(std::chrono::milliseconds at_most, std::function<void()> done)
    {
        service_.stop_serving();
        auto const end = std::chrono::steady_clock::now() + at_most;
        asio::co_spawn(executor_, end_when_quiet(end, std::move(done)), asio::detached);
    }

    /// Once this has returned nothing touches the engine.
    void close()
    {
        service_.close();
        asio::post(executor_, [self = shared_from_this()] { self->close_all(); });
    }

private:
    void listen()
    {
        error_code wrong;
        auto const address = asio::ip::make_address(options_.address, wrong);
        if (wrong)
            throw error(errc::invalid_argument,
                        "address '" + options_.address + "' is neither IPv4 nor IPv6");
        tcp::endpoint const wanted(address, options_.port);
        try {
            acceptor_.open(wanted.protocol());
            acceptor_.set_option(tcp::acceptor::reuse_address(true));
            acceptor_.bind(wanted);
            acceptor_.listen();
        } catch (boost::system::system_error const& error) {
            std::ostringstream where;
            where << wanted;
            throw std::system_error(error.code(), "can't listen on " + where.str());
        }
        bound_ = acceptor_.local_endpoint();
        error_code ignored;
        spare_.open(wanted.protocol(), ignored);
    }

    asio::awaitable<void> accept()
    {
        auto const self = shared_from_this();
        while (acceptor_.is_open()) {
            error_code error;
            tcp::socket socket =
                co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, error));
            if (!acceptor_.is_open())
                co_return;
            if (!error) {
                serve(std::move(socket));
            } else if (!is_anyone_waiting()) { // a descriptor is wanted even to find that out
                co_await acceptor_.async_wait(tcp::acceptor::wait_read,
                                              asio::redirect_error(asio::use_awaitable, error));
            } else if (!give_one_up(error)) {
                asio::steady_timer pause(executor_, std::chrono::milliseconds(100));
                co_await pause.async_wait(asio::use_awaitable);
            }
        }
    }

    [[nodiscard]] bool is_anyone_waiting()
    {
        pollfd waiting{.fd = acceptor_.native_handle(), .events = POLLIN, .revents = 0};
        return ::poll(&waiting, 1, 0) == 1;
    }

    /// Out of descriptors, most likely. Whether one was free at once.
    bool give_one_up(error_code const& error)
    {
        auto const now = std::chrono::steady_clock::now();
        if (now >= tell_after_) {
            spdlog::warn("could not accept a connection: {}", error.message());
            tell_after_ = now + std::chrono::minutes(1);
        }
        bool const had_spare = spare_.is_open();
        error_code ignored;
        spare_.close(ignored);
        if (!had_spare)
            close_longest_idle();
        return had_spare;
    }

    void serve(tcp::socket socket)
    try {
        error_code ignored;
        if (!spare_.is_open())
            spare_.open(bound_.protocol(), ignored);
        if (sessions_.size() >= options_.connections_max && !close_longest_idle())
            return; // every one is being worked for: the new one is closed
        auto const made =
            std::make_shared<session>(std::move(socket), service_, counts_,
                                      bound_.address().to_string(), bound_.address().is_loopback());
        auto running = made->run();
        auto const place = sessions_.insert(sessions_.end(), made);
        asio::co_spawn(executor_, std::move(running),
                       [self = shared_from_this(), place](std::exception_ptr const&) {
                           self->sessions_.erase(place);
                           self->go_on(); // there may be memory for it again
                       });
    } catch (std::exception const& fault) { // there is no memory for it: it is closed
        spdlog::warn("could not serve a connection: {}", fault.what());
    }

    bool close_longest_idle()
    {
        session* longest = nullptr;
        for (auto const& session : sessions_)
            if (session->is_open() && !session->is_busy() &&
                (longest == nullptr || session->last_active() < longest->last_active()))
                longest = session.get();
        if (longest != nullptr)
            longest->close();
        return longest != nullptr;
    }

    void close_all() noexcept
    {
        error_code ignored;
        acceptor_.close(ignored);
        spare_.close(ignored);
        again_.cancel();
        for (auto const& session : sessions_)
            session->close();
    }

    asio::awaitable<void> end_when_quiet(std::chrono::steady_clock::time_point end,
                                         std::function<void()> done)
    {
        auto const self = shared_from_this();
        while (counts_.limited + counts_.unlimited != 0 && std::chrono::steady_clock::now() < end &&
               acceptor_.is_open()) {
            asio::steady_timer pause(executor_, std::chrono::milliseconds(5));
            co_await pause.async_wait(asio::use_awaitable);
        }
        close_all();
        if (!service_.is_closed())
            done();
    }

    server_options const options_;
    service service_;
    session_counts counts_;
    asio::any_io_executor executor_;
    tcp::acceptor acceptor_;
    tcp::endpoint bound_;
    tcp::socket spare_; ///< a descriptor for a connection where there is none left
    bool is_accepting_ = true; ///< from the first start() on
    asio::steady_timer again_;
    std::chrono::steady_clock::time_point tell_after_;
    std::list<std::shared_ptr<session>> sessions_;
};

/// A context of the server's own, and the thread that runs it.
struct server::own_thread {
    ~own_thread()
    {
        context.stop();
        thread.join();
    }

    asio::io_context context{1};
    asio::executor_work_guard<asio::io_context::executor_type> guard{context.get_executor()};
    std::weak_ptr<listener> accepting; ///< of the thread's alone
    std::thread thread{[this] { run(); }};

private:
    void run()
    {
        bool has_thrown = false;
        for (;;) {
            try {
                if (has_thrown && !context.stopped())
                    go_on();
                context.run();
                return;
            } catch (std::exception const& fault) {
                spdlog::error("a connection could not be looked after: {}", fault.what());
                if (std::exchange(has_thrown, true))
                    std::this_thread::sleep_for(std::chrono::milliseconds(10));
            }
        }
    }

    void go_on() const
    {
        if (auto const listener = accepting.lock())
            listener->go_on();
    }
};

namespace {

std::string boost_version_text(unsigned version)
{
    return std::to_string(version / 100'000) + '.' + std::to_string(version / 100 % 1'000) + '.' +
           std::to_string(version % 100);
}

/// Throws where the program's Boost is not this library's; else gives the options.
server_options checked(server_options options, unsigned boost_version)
{
    if (boost_version != BOOST_VERSION)
        throw error(errc::invalid_argument,
                    "this program was compiled with Boost " + boost_version_text(boost_version) +
                        ", and the belay that it uses with " + boost_version_text(BOOST_VERSION) +
                        "; both must be the same");
    return options;
}

} // namespace

server::server(engine& engine, std::vector<offered_type> types, server_options options,
               unsigned boost_version)
    : own_thread_(std::make_unique<own_thread>()),
      listener_(std::make_shared<listener>(engine, std::move(types),
                                           checked(std::move(options), boost_version),
                                           own_thread_->context.get_executor()))
{
    asio::post(own_thread_->context,
               [own = own_thread_.get(), accepting = std::weak_ptr(listener_)] {
                   own->accepting = accepting;
               });
    listener_->start();
}

server::server(engine& engine, std::vector<offered_type> types, server_options options,
               asio::io_context& context, unsigned boost_version)
    : listener_(std::make_shared<listener>(engine, std::move(types),
                                           checked(std::move(options), boost_version),
                                           asio::make_strand(context)))
{
    listener_->start();
}

server::~server()
{
    listener_->close();
    if (own_thread_) {
        listener_.reset(); // what waits in the context has the rest
        own_thread_.reset();
    }
}

std::string server::url() const
{
    auto const& bound = listener_->bound();
    std::string address = bound.address().to_string();
    if (bound.address().is_v6())
        address = "[" + address + "]";
    return "http://" + address + ":" + std::to_string(bound.port());
}

void server::shut_down(std::chrono::milliseconds at_most)
{
    auto const done = std::make_shared<std::promise<void>>();
    listener_->shut_down(at_most, [done] { done->set_value(); });
    // What is under way at that moment ends within a step.
    (void)done->get_future().wait_for(at_most + std::chrono::milliseconds(100));
}

void server::shut_down(std::chrono::milliseconds at_most, std::function<void()> done)
{
    listener_->shut_down(at_most, std::move(done));
}

} // namespace belay::http
