#include "backend/process/caller_threads.hpp"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace belay::detail {

namespace {

constexpr std::chrono::seconds idle_time_max{10};
constexpr std::chrono::milliseconds stop_time_max{100};

} // namespace

struct caller_threads::shared {
    explicit shared(std::function<void()> on_exception) : on_exception(std::move(on_exception)) {}

    void call(std::function<void()> const& action) const noexcept
    {
        try {
            action();
        } catch (...) {
            on_exception();
        }
    }

    std::function<void()> const on_exception;
    std::mutex mutex; // guards what follows
    std::condition_variable posted; ///< waited for by those who are idle
    std::condition_variable left;   ///< and by who stops them
    std::deque<std::function<void()>> actions;
    std::size_t threads = 0;
    std::size_t idle = 0; // of them
    bool is_stopped = false;
};

caller_threads::caller_threads(std::function<void()> on_exception)
    : all_(std::make_shared<shared>(std::move(on_exception)))
{
}

caller_threads::~caller_threads()
{
    stop();
}

void caller_threads::post(std::function<void()> action)
{
    std::unique_lock lock(all_->mutex);
    if (all_->idle <= all_->actions.size() && all_->threads != threads_max) {
        try {
            std::thread([all = all_] { run(all); }).detach();
            ++all_->threads;
        } catch (std::system_error const&) {
            if (all_->threads == 0) {
                lock.unlock();
                return all_->call(action);
            }
        }
    }
    all_->actions.push_back(std::move(action));
    all_->posted.notify_one(); // all of them would be in each other's way
}

void caller_threads::run(std::shared_ptr<shared> const& all)
{
    std::unique_lock lock(all->mutex);
    while (true) {
        ++all->idle;
        all->posted.wait_for(lock, idle_time_max,
                             [&] { return !all->actions.empty() || all->is_stopped; });
        --all->idle;
        if (all->actions.empty())
            break;
        auto action = std::move(all->actions.front());
        all->actions.pop_front();
        lock.unlock();
        all->call(action);
        action = nullptr; // what it owns may be the last of an engine: not under the lock
        lock.lock();
    }
    --all->threads;
    all->left.notify_all();
}

void caller_threads::stop() noexcept
{
    std::unique_lock lock(all_->mutex);
    all_->is_stopped = true;
    all_->posted.notify_all();
    all_->left.wait_for(lock, stop_time_max, [&] { return all_->threads == 0; });
}

} // namespace belay::detail
