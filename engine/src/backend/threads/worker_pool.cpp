#include "backend/threads/worker_pool.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <exception>
#include <system_error>
#include <utility>

namespace belay::detail {

namespace {
/// Whether this worker thread is to end: it was lost, and has been replaced.
thread_local bool leaving = false;
} // namespace

worker_pool::worker_pool(setup setup) : setup_(std::move(setup)) {}

worker_pool::~worker_pool()
{
    stop();
}

void worker_pool::post(std::function<void()> task)
{
    boost::asio::post(queue_->tasks, std::move(task));
    if (fill_at_post_.load(std::memory_order_relaxed) && fill_at_post_.exchange(false))
        fill();
}

std::size_t worker_pool::wanted() const noexcept
{
    std::size_t const unreplaced = lost_.size() - std::min(lost_.size(), setup_.abandoned_max);
    return setup_.workers - std::min(setup_.workers, unreplaced);
}

void worker_pool::fill()
{
    bool is_short = false;
    {
        std::scoped_lock const lock(mutex_);
        not_made_.clear();
        try {
            while (!stopped_ && working_.size() < wanted())
                start_thread();
        } catch (std::exception const& problem) {
            not_made_ = problem.what();
            is_short = true;
        }
    }
    report();
    if (!is_short)
        return;
    try {
        setup_.later(retry_pause, [this] { fill(); });
    } catch (std::exception const&) {
        fill_at_post_ = true; // there is not even a thread that could wait
    }
}

void worker_pool::start_thread()
{
    working_.reserve(working_.size() + 1); // so that no thread is made that can't be kept
    working_.emplace_back([queue = queue_, &board = setup_.board, on_start = setup_.on_start] {
        if (on_start)
            board.attempt("callback", "on_worker_start", on_start);
        while (!leaving && queue->tasks.run_one() != 0) {
        }
    });
}

void worker_pool::thread_lost(std::thread::id thread)
{
    {
        std::scoped_lock const lock(mutex_);
        if (auto const early = std::ranges::find(back_early_, thread); early != back_early_.end()) {
            back_early_.erase(early);
            return;
        }
        auto const found = std::ranges::find(working_, thread, &std::thread::get_id);
        if (found == working_.end())
            return;
        lost_.push_back(std::move(*found));
        working_.erase(found);
    }
    fill();
}

void worker_pool::thread_returned()
{
    {
        std::scoped_lock const lock(mutex_);
        auto const id = std::this_thread::get_id();
        auto const found = std::ranges::find(lost_, id, &std::thread::get_id);
        if (found == lost_.end()) {
            if (!stopped_)
                back_early_.push_back(id);
            return;
        }
        std::thread self = std::move(*found);
        lost_.erase(found);
        if (working_.size() < wanted()) {
            working_.push_back(std::move(self));
        } else {
            leaving = true;
            self.detach();
        }
    }
    fill();
}

void worker_pool::report()
{
    // One thread at a time tells, so that the last word is the newest; no lock is held meanwhile.
    std::unique_lock lock(mutex_);
    has_news_ = true;
    if (std::exchange(is_reporting_, true))
        return;
    while (std::exchange(has_news_, false)) {
        bool const is_short = working_.size() < setup_.workers && !stopped_;
        bool const is_none = working_.empty();
        std::string const text = is_short ? shortage() : std::string();
        lock.unlock();
        auto& board = setup_.board;
        if (is_short && is_none)
            board.raise(setup_.name, text);
        else
            board.clear(setup_.name);
        if (is_short && !is_none)
            board.notice(setup_.name, text);
        else
            board.drop_notice(setup_.name);
        lock.lock();
    }
    is_reporting_ = false;
}

std::string worker_pool::shortage() const
{
    std::string text = std::to_string(working_.size()) + " of " + std::to_string(setup_.workers) +
                       ' ' + setup_.name + " are there";
    if (lost_.size() > setup_.abandoned_max)
        text += "; abandoned bodies hold " + std::to_string(lost_.size()) + ", and at most " +
                std::to_string(setup_.abandoned_max) + " are replaced at a time";
    if (!not_made_.empty())
        text += "; a thread can't be made, and is tried again: " + not_made_;
    return text;
}

void worker_pool::stop()
{
    queue_->tasks.stop();
    std::vector<std::thread> threads;
    {
        std::scoped_lock const lock(mutex_);
        stopped_ = true;
        threads = std::exchange(working_, {});
        for (auto& thread : std::exchange(lost_, {}))
            thread.detach();
    }
    for (auto& thread : threads)
        thread.join();
}

} // namespace belay::detail
