#include "store/sqlite/queue.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>
#include <variant>

namespace belay {

void backlog::clear() noexcept
{
    changes.clear();
    records.clear();
    targets.clear();
}

void backlog::append(backlog& other)
{
    std::size_t const before = records.size();
    // Nothing throws once the first has been moved.
    changes.reserve(changes.size() + other.changes.size());
    records.reserve(records.size() + other.records.size());
    targets.reserve(targets.size() + other.targets.size());
    for (auto& change : other.changes)
        change.place += before;
    std::ranges::move(other.changes, std::back_inserter(changes));
    std::ranges::move(other.records, std::back_inserter(records));
    targets.insert(targets.end(), other.targets.begin(), other.targets.end());
    other.clear();
}

/// What is about the gate overtakes the rest, but not the creation of its own batch.
bool write_queue::is_urgent(queued_change const& change) const noexcept
{
    auto const* const cancel = std::get_if<change::cancelled>(&change.what);
    bool const is_about_gate =
        is_any_of<change::withdrawn, change::job_cancelled, change::job_withdrawn,
                  change::operation_made, change::operation_withdrawn>(change) ||
        (cancel != nullptr && (!cancel->end || cancel->is_alone));
    return is_about_gate && !unborn_.contains(change.sequence);
}

void write_queue::push(queued_change&& change)
{
    std::unique_lock lock(mutex_);
    if (is_urgent(change)) {
        std::list<queued_change> one;
        one.push_back(std::move(change));
        auto& all = urgent_[one.front().sequence];
        all.splice(all.end(), one);
    } else {
        if (is_any_of<change::created>(change))
            unborn_.insert(change.sequence);
        change.place = backlog_.records.size();
        backlog_.changes.push_back(std::move(change));
    }
    wake(lock);
}

void write_queue::push(std::uint64_t sequence, job_record&& record, job_listener& listener)
{
    waiting_bytes_.fetch_add(waiting_bytes(record), std::memory_order_relaxed);
    std::unique_lock lock(mutex_);
    backlog_.targets.push_back({sequence, &listener});
    backlog_.records.push_back(std::move(record));
    wake(lock);
}

template <class HasCome>
void write_queue::sleep(std::unique_lock<std::mutex>& lock,
                        std::optional<std::chrono::milliseconds> at_most, HasCome has_come)
{
    auto const begun = std::chrono::steady_clock::now();
    while (!has_come()) {
        sleeps_ = true;
        if (!at_most)
            come_.wait(lock);
        else if (come_.wait_until(lock, begun + *at_most) == std::cv_status::timeout)
            break;
    }
    sleeps_ = false;
}

void write_queue::wake(std::unique_lock<std::mutex>& lock)
{
    if (!std::exchange(sleeps_, false))
        return;
    lock.unlock();
    come_.notify_one();
}

void write_queue::when_uncongested(std::function<void()> callback)
{
    {
        std::scoped_lock const lock(mutex_);
        if (is_congested()) {
            for_room_.push_back(std::move(callback));
            return;
        }
    }
    callback();
}

void write_queue::stop()
{
    std::unique_lock lock(mutex_);
    stopped_ = true;
    wake(lock);
}

void write_queue::wait(std::optional<std::chrono::milliseconds> at_most)
{
    std::unique_lock lock(mutex_);
    sleep(lock, at_most, [&] { return stopped_ || !urgent_.empty() || !backlog_.empty(); });
}

void write_queue::wait_after_failure(std::chrono::milliseconds at_most)
{
    std::unique_lock lock(mutex_);
    sleep(lock, at_most, [&] { return stopped_ || !urgent_.empty() || !backlog_.changes.empty(); });
}

bool write_queue::is_stopped() const
{
    std::scoped_lock const lock(mutex_);
    return stopped_;
}

bool write_queue::is_empty() const
{
    std::scoped_lock const lock(mutex_);
    return urgent_.empty() && backlog_.empty();
}

bool write_queue::has_urgent() const
{
    std::scoped_lock const lock(mutex_);
    return !urgent_.empty();
}

bool write_queue::take_urgent(std::list<queued_change>& urgent, std::size_t most) noexcept
{
    std::scoped_lock const lock(mutex_);
    while (most != 0 && !urgent_.empty()) {
        auto next = urgent_.lower_bound(turn_);
        if (next == urgent_.end())
            next = urgent_.begin();
        turn_ = next->first + 1;
        auto& of_batch = next->second;
        auto const share = std::max<std::size_t>(1, most / urgent_.size());
        auto const taken = std::min(share, of_batch.size());
        urgent.splice(urgent.end(), of_batch, of_batch.begin(),
                      std::next(of_batch.begin(), static_cast<std::ptrdiff_t>(taken)));
        most -= taken;
        if (of_batch.empty())
            urgent_.erase(next);
    }
    return urgent_.empty();
}

void write_queue::take(backlog& to)
{
    std::scoped_lock const lock(mutex_);
    if (to.empty())
        std::swap(backlog_, to);
    else
        to.append(backlog_);
}

void write_queue::finished(queued_change const& change)
{
    if (!is_any_of<change::created>(change))
        return;
    std::scoped_lock const lock(mutex_);
    unborn_.erase(change.sequence);
}

void write_queue::written(std::uint64_t bytes)
{
    auto const waiting = waiting_bytes_.fetch_sub(bytes, std::memory_order_relaxed) - bytes;
    if (waiting > waiting_bytes_max_ / 2)
        return;
    std::vector<std::function<void()>> called;
    {
        std::scoped_lock const lock(mutex_);
        called.swap(for_room_);
    }
    for (auto const& callback : called)
        callback();
}

} // namespace belay
