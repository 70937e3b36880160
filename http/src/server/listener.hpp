// This folder: sockets, and who gets the server's one thread and its room, when and for how long. Message,
// service and resources come in; of Boost, Asio and Beast.
#ifndef BELAY_HTTP_SERVER_LISTENER_HPP
#define BELAY_HTTP_SERVER_LISTENER_HPP

#include "server/event_pump.hpp"
#include "server/session.hpp"
#include "server/session_context.hpp"
#include "service/service.hpp"

#include <belay/http/server.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace belay::http {

/// What accepts connections, and the sessions. All of it runs on one executor that does one thing
/// at a time; what waits there owns it.
class server::listener : public std::enable_shared_from_this<listener> {
public:
    /// Throws what the constructors of `server` do.
    listener(engine& engine, std::vector<offered_type> types, server_options given,
             boost::asio::any_io_executor executor);

    void start();

    /// On the executor: goes on with what has ended before its time, for want of memory, say. Throws
    /// where there is memory neither for that nor to wait until there is: then it is to be called
    /// again.
    void go_on();

    /// The same after a moment: what has ended is only now let go of. Throws std::bad_alloc.
    void go_on_soon();

    [[nodiscard]] boost::asio::ip::tcp::endpoint const& bound() const noexcept { return bound_; }

    void shut_down(std::chrono::milliseconds at_most, std::function<void()> done);

    /// Once this has returned nothing touches the engine.
    void close();

private:
    using clock = std::chrono::steady_clock;
    struct accepting;
    class place;

    void listen();
    [[nodiscard]] boost::asio::awaitable<void> accept();
    [[nodiscard]] static boost::asio::awaitable<void> run(std::shared_ptr<session> session,
                                                          std::unique_ptr<place> held);
    void let_in(boost::asio::ip::tcp::socket socket);
    [[nodiscard]] bool is_anyone_waiting();
    bool give_one_up(boost::system::error_code const& error);
    void serve(boost::asio::ip::tcp::socket socket);
    [[nodiscard]] boost::asio::awaitable<void> make_room();
    void evict();
    [[nodiscard]] std::size_t surplus() const noexcept;
    [[nodiscard]] bool close_leaving();

    void cut_bodies() noexcept;
    void close_all() noexcept;
    [[nodiscard]] bool is_quiet(clock::time_point requests_until,
                                clock::time_point bodies_until) const;
    [[nodiscard]] boost::asio::awaitable<void> end_when_quiet(clock::time_point end,
                                                              std::function<void()> done);

    server_options const options_;
    service service_;
    boost::asio::any_io_executor executor_;
    boost::asio::ip::tcp::acceptor acceptor_;
    boost::asio::ip::tcp::endpoint bound_;
    boost::asio::ip::tcp::socket spare_; ///< a descriptor for a connection where there is none left
    bool is_accepting_ = true;           ///< from the first start() on
    boost::asio::steady_timer again_;
    session_context context_;
    std::shared_ptr<event_pump> pump_;
};

} // namespace belay::http

#endif
