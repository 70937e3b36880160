#include "batch/news_queue.hpp"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <utility>

namespace belay::detail {

namespace {

bool is_of_job(news_queue::item const& one) noexcept
{
    return one.what == news_item::kind::job_ended;
}

} // namespace

void news_queue::follow(news_level level, std::function<void()> told)
{
    auto told_now = told ? std::make_shared<std::function<void()> const>(std::move(told)) : nullptr;
    std::scoped_lock const lock(mutex_);
    if (level == news_level::none || level_ == news_level::none) {
        drop_all();
        is_complete_ = has_all_jobs_ = true;
        is_to_tell_ = false;
    }
    told_.swap(told_now);
    level_ = level;
}

void news_queue::drop_jobs() noexcept
{
    std::erase_if(items_, is_of_job);
    job_items_ = 0;
    has_all_jobs_ = false;
}

void news_queue::drop_all() noexcept
{
    items_.clear();
    job_items_ = 0;
    is_complete_ = has_all_jobs_ = false;
    generation_ += 1;
}

void news_queue::add(item const& one) noexcept
{
    std::scoped_lock const lock(mutex_);
    if (level_ == news_level::none)
        return;
    if (is_empty())
        is_to_tell_ = true;
    if (job_items_ == job_items_max)
        drop_jobs();
    if (items_.size() - job_items_ == batch_items_max)
        drop_all();
    try {
        items_.push_back(one);
        job_items_ += is_of_job(one) ? 1 : 0;
    } catch (std::exception const&) { // there is no memory for it
        drop_all();
        is_to_tell_ = true;
    }
}

void news_queue::tell()
{
    if (!is_to_tell_.exchange(false))
        return;
    std::shared_ptr<std::function<void()> const> told;
    {
        std::scoped_lock const lock(mutex_);
        told = told_;
    }
    try {
        if (told)
            (*told)();
    } catch (...) {
        is_to_tell_ = true; // by whoever comes next
        throw;
    }
}

news_queue::taken news_queue::take(std::size_t most)
{
    std::scoped_lock const lock(mutex_);
    auto const end = items_.begin() + static_cast<std::ptrdiff_t>(std::min(most, items_.size()));
    taken result{.items = {items_.begin(), end}};
    items_.erase(items_.begin(), end);
    job_items_ -= static_cast<std::size_t>(std::ranges::count_if(result.items, is_of_job));
    result.is_complete = std::exchange(is_complete_, true);
    result.has_all_jobs = std::exchange(has_all_jobs_, true);
    result.has_more = !items_.empty();
    return result;
}

void news_queue::note_loss() noexcept
{
    std::scoped_lock const lock(mutex_);
    is_complete_ = has_all_jobs_ = false;
    generation_ += 1; // so that it is told again that jobs have ended
    is_to_tell_ = true;
}

} // namespace belay::detail
