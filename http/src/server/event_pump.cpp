#include "server/event_pump.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace belay::http {

namespace asio = boost::asio;

namespace {

/// From one time to the next, where news keep coming.
constexpr std::chrono::milliseconds gathered_for{10};

/// Until what went wrong is tried again.
constexpr std::chrono::milliseconds put_off_for{100};

} // namespace

/// What the engine's threads ring: they may do so when the executor is gone.
class event_pump::bell {
public:
    explicit bell(event_pump& of) : of_(of.weak_from_this()), executor_(of.executor_) {}

    void ring()
    {
        std::scoped_lock const lock(mutex_);
        if (executor_)
            asio::post(executor_, [of = of_] {
                if (auto const pump = of.lock())
                    pump->arm(std::max(clock::now(), pump->ran_ + gathered_for));
            });
    }
    void disconnect() noexcept
    {
        std::scoped_lock const lock(mutex_);
        executor_ = {};
    }

private:
    std::weak_ptr<event_pump> const of_;
    std::mutex mutex_;
    asio::any_io_executor executor_; // guarded by mutex_
};

event_pump::event_pump(asio::any_io_executor executor, service& service, limited_log& log)
    : executor_(std::move(executor)), service_(service), log_(log), timer_(executor_)
{
}

void event_pump::connect()
{
    bell_ = std::make_shared<bell>(*this);
    service_.events().when_news([bell = bell_] { bell->ring(); });
}

void event_pump::disconnect() noexcept
{
    bell_->disconnect();
}

void event_pump::go_on()
{
    if (armed_ == clock::time_point::max())
        arm(clock::now());
}

void event_pump::stop()
{
    is_stopped_ = true;
    timer_.cancel();
}

/// If it is not to run before.
void event_pump::arm(clock::time_point at)
{
    if (is_stopped_ || at >= armed_)
        return;
    armed_ = clock::time_point::max();
    timer_.expires_at(at);
    timer_.async_wait([weak = weak_from_this()](boost::system::error_code ended) {
        auto const pump = weak.lock();
        if (!ended && pump && !pump->is_stopped_)
            pump->run();
    });
    armed_ = at;
}

void event_pump::run()
{
    auto const now = clock::now();
    armed_ = clock::time_point::max();
    std::optional<clock::time_point> next;
    try {
        auto const lock = service_.enter();
        if (!service_.is_closed())
            next = service_.events().publish(now);
    } catch (std::exception const& fault) {
        log_.warn("events",
                  std::string("events could not be made, and are tried again: ") + fault.what());
        next = now + put_off_for;
    }
    ran_ = now;
    if (next)
        arm(*next);
}

} // namespace belay::http
