#include <belay/http/server.hpp>

#include "server/listener.hpp"

#include <spdlog/spdlog.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>

#include <chrono>
#include <exception>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

namespace belay::http {

namespace asio = boost::asio;

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
            listener->go_on_soon();
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
