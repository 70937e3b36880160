#include "engine/operation_state.hpp"

#include <algorithm>
#include <utility>

namespace belay::detail {

operation_state::operation_state(open_operation made, std::shared_ptr<belay::store> store)
    : about_(std::move(made.about)), store_(std::move(store)), batches_(std::move(made.batches))
{
    counts_.total = counts_.open = batches_.size();
}

operation_state::operation_state(stored_operation ended, std::shared_ptr<belay::store> store)
    : about_(std::move(ended)),
      store_(std::move(store)),
      counts_(about_.end->counts),
      finished_at_(about_.end->at),
      is_over_(true)
{
}

operation_counts operation_state::counts() const
{
    std::scoped_lock const lock(mutex_);
    return counts_;
}

std::optional<time_point> operation_state::finished_at() const
{
    std::scoped_lock const lock(mutex_);
    return finished_at_;
}

std::vector<std::uint64_t> operation_state::batches() const
{
    {
        std::scoped_lock const lock(mutex_);
        if (!finished_at_)
            return batches_;
    }
    return store_->operation_batches(about_.sequence);
}

std::uint64_t operation_state::on_end(callback told)
{
    {
        std::scoped_lock const lock(mutex_);
        if (!is_over_) {
            waiting_.emplace(++last_subscription_, std::move(told));
            return last_subscription_;
        }
    }
    told();
    return 0;
}

void operation_state::unsubscribe(std::uint64_t subscription) noexcept
{
    callback gone; // destroyed after the lock
    std::scoped_lock const lock(mutex_);
    if (auto const node = waiting_.extract(subscription))
        gone = std::move(node.mapped());
}

std::vector<std::uint64_t> operation_state::take(std::size_t most)
{
    std::scoped_lock const lock(mutex_);
    std::vector<std::uint64_t> taken = std::exchange(again_, {});
    std::size_t const end = std::min(batches_.size(), next_ + most);
    while (taken.size() < most && next_ != end)
        taken.push_back(batches_[next_++]);
    return taken;
}

void operation_state::put_back(std::uint64_t sequence)
{
    std::scoped_lock const lock(mutex_);
    again_.push_back(sequence);
}

bool operation_state::has_work() const
{
    std::scoped_lock const lock(mutex_);
    return !again_.empty() || next_ != batches_.size();
}

bool operation_state::batch_ended(std::optional<batch_state> end)
{
    std::scoped_lock const lock(mutex_);
    counts_.open -= 1;
    switch (end.value_or(batch_state::created)) {
    case batch_state::cancelled: counts_.cancelled += 1; break;
    case batch_state::completed: counts_.completed += 1; break;
    case batch_state::failed: counts_.failed += 1; break;
    case batch_state::expired: counts_.expired += 1; break;
    default: counts_.forgotten += 1;
    }
    return counts_.open == 0;
}

void operation_state::finished(time_point at)
{
    {
        std::scoped_lock const lock(mutex_);
        finished_at_ = at;
        std::vector<std::uint64_t>().swap(batches_); // the store has them
        next_ = 0;
    }
    tell_all();
}

void operation_state::let_go()
{
    tell_all();
}

void operation_state::tell_all()
{
    std::map<std::uint64_t, callback> told;
    {
        std::scoped_lock const lock(mutex_);
        is_over_ = true;
        told.swap(waiting_);
    }
    for (auto const& [subscription, call] : told)
        call();
}

} // namespace belay::detail
