#ifndef BELAY_HTTP_SERVER_EVENT_PUMP_HPP
#define BELAY_HTTP_SERVER_EVENT_PUMP_HPP

#include "server/limited_log.hpp"
#include "service/service.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <memory>

namespace belay::http {

/// Has events made where there are news: not for each of them, but for what has gathered for a
/// moment, so that many readers are woken seldom. On one executor, which does one thing at a time.
class event_pump : public std::enable_shared_from_this<event_pump> {
public:
    /// `service` and `log` live as long as anything runs on the executor.
    event_pump(boost::asio::any_io_executor executor, service& service, limited_log& log);

    /// Has it told of news; once.
    void connect();
    /// It is told no more, and its executor is touched by no other thread. On any thread.
    void disconnect() noexcept;

    /// Goes on where it could not wait for want of memory.
    void go_on();

    void stop();

private:
    using clock = std::chrono::steady_clock;

    class bell;

    void arm(clock::time_point at);
    void run();

    boost::asio::any_io_executor executor_;
    service& service_;
    limited_log& log_;
    std::shared_ptr<bell> bell_;
    boost::asio::steady_timer timer_;
    clock::time_point armed_ = clock::time_point::max(); ///< when it is to run; never
    clock::time_point ran_{};
    bool is_stopped_ = false;
};

} // namespace belay::http

#endif
