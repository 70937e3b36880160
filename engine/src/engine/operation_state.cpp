#include "engine/operation_state.hpp"

#include <utility>

namespace belay::detail {

operation_state::operation_state(std::shared_ptr<open_operation const> made,
                                 std::shared_ptr<belay::store> store)
    : about_(made->about), store_(std::move(store)), made_(std::move(made))
{
    again_.reserve(taken_max); // so that none is lost where there is no memory
    counts_.total = counts_.open = made_->batches.size();
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
        if (made_)
            return made_->batches;
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

std::optional<std::uint64_t> operation_state::take() noexcept
{
    std::scoped_lock const lock(mutex_);
    if (made_ && next_ != made_->batches.size())
        return made_->batches[next_++];
    if (again_.empty())
        return std::nullopt;
    std::uint64_t const sequence = again_.back();
    again_.pop_back();
    return sequence;
}

void operation_state::put_back(std::uint64_t sequence) noexcept
{
    std::scoped_lock const lock(mutex_);
    again_.push_back(sequence);
}

bool operation_state::has_work() const noexcept
{
    std::scoped_lock const lock(mutex_);
    return !again_.empty() || (made_ && next_ != made_->batches.size());
}

bool operation_state::batch_ended(std::optional<batch_state> end) noexcept
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

std::optional<operation_counts> operation_state::take_end() noexcept
{
    std::scoped_lock const lock(mutex_);
    if (counts_.open != 0 || std::exchange(end_is_taken_, true))
        return std::nullopt;
    return counts_;
}

void operation_state::give_end_back() noexcept
{
    std::scoped_lock const lock(mutex_);
    end_is_taken_ = false;
}

bool operation_state::has_end() const noexcept
{
    std::scoped_lock const lock(mutex_);
    return counts_.open == 0 && !end_is_taken_;
}

void operation_state::finished(time_point at)
{
    {
        std::scoped_lock const lock(mutex_);
        finished_at_ = at;
        made_.reset(); // the store has it
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
