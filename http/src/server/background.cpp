#include "background.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <exception>
#include <memory>
#include <thread>
#include <utility>

namespace belay::http {

namespace asio = boost::asio;

namespace {
/// How long until it is tried again to tell the executor, where there was no memory for that.
constexpr std::chrono::milliseconds memory_pause{10};
} // namespace

struct background::task : std::enable_shared_from_this<task> {
    explicit task(std::function<void()> work) : work(std::move(work)) {}

    /// For the thread that does it and whoever waits: the first of them has it.
    [[nodiscard]] bool take() noexcept { return !is_taken.exchange(true); }

    std::function<void()> work;
    std::atomic<bool> is_taken{false};
    std::exception_ptr problem;
    bool is_done = false; ///< on the executor
};

asio::awaitable<bool> background::run(asio::steady_timer& timer, std::function<void()> work)
{
    if (is_closed_)
        co_return false;
    auto const task = std::make_shared<background::task>(std::move(work));
    timer.expires_at(asio::steady_timer::time_point::max());
    asio::post(pool_, [this, task, &timer] {
        if (task->take())
            perform(*task, timer);
    });
    while (!task->is_done) {
        boost::system::error_code ended;
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ended));
        if (!task->is_done && task->take())
            co_return false;
    }
    if (task->problem)
        std::rethrow_exception(task->problem);
    co_return true;
}

void background::perform(task& task, asio::steady_timer& timer) noexcept
{
    try {
        task.work();
    } catch (...) {
        task.problem = std::current_exception();
    }
    while (!is_closed_) {
        try {
            asio::post(timer.get_executor(), [task = task.shared_from_this(), &timer] {
                task->is_done = true;
                timer.cancel();
            });
            return;
        } catch (std::exception const&) {
            std::this_thread::sleep_for(memory_pause);
        }
    }
}

void background::close()
{
    is_closed_ = true;
    pool_.stop();
    pool_.join();
}

} // namespace belay::http
