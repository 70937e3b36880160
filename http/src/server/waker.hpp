#ifndef BELAY_HTTP_SERVER_WAKER_HPP
#define BELAY_HTTP_SERVER_WAKER_HPP

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <mutex>
#include <utility>

namespace belay::http {

/// Wakes a coroutine that waits on a timer, from whatever thread, as long as it waits: the callback
/// may come when the session and its executor are gone.
class waker {
public:
    explicit waker(std::shared_ptr<boost::asio::steady_timer> timer) : timer_(std::move(timer)) {}

    void wake()
    {
        std::scoped_lock const lock(mutex_);
        if (timer_)
            boost::asio::post(timer_->get_executor(), [timer = timer_] { timer->cancel(); });
    }
    void disarm()
    {
        std::scoped_lock const lock(mutex_);
        timer_.reset();
    }

private:
    std::mutex mutex_;
    std::shared_ptr<boost::asio::steady_timer> timer_; // guarded by mutex_
};

/// Disarms it however the wait ends, also with the coroutine.
struct disarming {
    std::shared_ptr<waker> of;
    ~disarming() { of->disarm(); }
};

} // namespace belay::http

#endif
