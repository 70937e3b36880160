#include "server/reading_thread.hpp"

#include "server/waker.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <chrono>
#include <exception>
#include <utility>

namespace belay::http {

namespace asio = boost::asio;

namespace {
/// How long until it is tried again to wake who waits, where there was no memory for that.
constexpr std::chrono::milliseconds memory_pause{10};
} // namespace

struct reading_thread::task {
    std::function<void()> work;
    std::shared_ptr<waker> waits;
    std::exception_ptr problem = {};
    std::atomic<bool> is_done{false};
};

/// Of a task in the line, until it is begun or this is destroyed.
class reading_thread::place {
public:
    place(reading_thread& of, std::shared_ptr<task> task) : of_(of), task_(std::move(task))
    {
        std::scoped_lock const lock(of_.mutex_);
        if (of_.is_closed_)
            return;
        of_.waiting_.push_back(task_);
        of_.changed_.notify_one();
        is_taken_ = true;
    }
    place(place const&) = delete;
    place& operator=(place const&) = delete;
    ~place() { (void)leave(); }

    /// False where the thread is closed.
    [[nodiscard]] bool is_taken() const noexcept { return is_taken_; }

    /// Whether the task has not been begun, and now never is.
    [[nodiscard]] bool leave() noexcept
    {
        if (!std::exchange(is_taken_, false) || task_->is_done)
            return false;
        std::scoped_lock const lock(of_.mutex_);
        return of_.waiting_.remove(task_) != 0;
    }

private:
    reading_thread& of_;
    std::shared_ptr<task> task_;
    bool is_taken_ = false;
};

asio::awaitable<bool> reading_thread::run(std::shared_ptr<asio::steady_timer> timer,
                                          std::function<void()> work)
{
    timer->expires_at(asio::steady_timer::time_point::max());
    disarming const wakes{std::make_shared<waker>(timer)};
    auto const task = std::make_shared<reading_thread::task>(std::move(work), wakes.of);
    place waits(*this, task);
    if (!waits.is_taken())
        co_return false;
    while (!task->is_done) {
        boost::system::error_code ended;
        co_await timer->async_wait(asio::redirect_error(asio::use_awaitable, ended));
        if (!task->is_done && waits.leave())
            co_return false;
    }
    if (task->problem)
        std::rethrow_exception(task->problem);
    co_return true;
}

void reading_thread::work()
{
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [this] { return is_closed_ || !waiting_.empty(); });
        if (is_closed_)
            return;
        auto task = std::move(waiting_.front());
        waiting_.pop_front();
        lock.unlock();
        perform(*task);
        task.reset();
        lock.lock();
    }
}

void reading_thread::perform(task& task) noexcept
{
    try {
        task.work();
    } catch (...) {
        task.problem = std::current_exception();
    }
    task.is_done = true;
    while (!is_closed()) { // who closes it cancels the timers afterwards
        try {
            return task.waits->wake();
        } catch (std::exception const&) {
            std::this_thread::sleep_for(memory_pause);
        }
    }
}

bool reading_thread::is_closed()
{
    std::scoped_lock const lock(mutex_);
    return is_closed_;
}

void reading_thread::close()
{
    {
        std::scoped_lock const lock(mutex_);
        is_closed_ = true;
        changed_.notify_one();
    }
    if (thread_.joinable())
        thread_.join();
}

} // namespace belay::http
