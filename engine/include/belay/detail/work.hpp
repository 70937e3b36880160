// What a batch runs: the core knows indices and outcomes, a `work` knows inputs and values.
// Not for users.
#ifndef BELAY_DETAIL_WORK_HPP
#define BELAY_DETAIL_WORK_HPP

#include <belay/detail/lazy_array.hpp>
#include <belay/detail/run.hpp>
#include <belay/error.hpp>

#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <type_traits>
#include <unordered_map>
#include <utility>

namespace belay::detail {

/// The states of a batch's jobs, shared by all that have to read them.
using state_array = std::shared_ptr<std::atomic<job_byte>[]>;

class work {
public:
    virtual ~work() = default;
    /// Runs what is pending in [begin, end); see `detail::run_range`.
    virtual void run(turn& turn, std::uint64_t begin, std::uint64_t end) noexcept = 0;
};

/// What the jobs of a typed batch came to.
template <class R>
class typed_results {
public:
    typed_results(state_array states, std::uint64_t total)
        : states_(std::move(states)), total_(total), values_(raw_array<R>(total))
    {
    }
    typed_results(typed_results const&) = delete;
    typed_results& operator=(typed_results const&) = delete;
    ~typed_results()
    {
        if constexpr (!std::is_trivially_destructible_v<R>)
            for (std::uint64_t index = 0; index != total_; ++index)
                if (has_value(index))
                    std::destroy_at(&values_[index]);
    }

    template <class Make>
    void emplace(std::uint64_t index, Make&& make)
    {
        ::new (static_cast<void*>(&values_[index])) R(std::forward<Make>(make)());
    }
    void drop(std::uint64_t index) noexcept { std::destroy_at(&values_[index]); }

    [[nodiscard]] bool has_value(std::uint64_t index) const noexcept
    {
        auto const state = states_[index].load(std::memory_order_acquire);
        return state == job_byte::succeeded || state == job_byte::succeeded_late;
    }
    [[nodiscard]] R const& operator[](std::uint64_t index) const noexcept
    {
        return values_[index];
    }

private:
    state_array states_;
    std::uint64_t total_;
    std::unique_ptr<R[], free_memory> values_;
};

template <>
class typed_results<void> {
public:
    typed_results(state_array, std::uint64_t) {}
    template <class Make>
    void emplace(std::uint64_t, Make&& make)
    {
        std::forward<Make>(make)();
    }
    void drop(std::uint64_t) noexcept {}
};

/// The exceptions of jobs that failed. Thread safety: full.
class failures {
public:
    void put(std::uint64_t index, std::exception_ptr exception)
    {
        std::scoped_lock const lock(mutex_);
        exceptions_[index] = std::move(exception);
    }
    void drop(std::uint64_t index)
    {
        std::scoped_lock const lock(mutex_);
        exceptions_.erase(index);
    }
    [[nodiscard]] std::exception_ptr get(std::uint64_t index) const
    {
        std::scoped_lock const lock(mutex_);
        auto const found = exceptions_.find(index);
        return found == exceptions_.end() ? nullptr : found->second;
    }

private:
    mutable std::mutex mutex_;
    std::unordered_map<std::uint64_t, std::exception_ptr> exceptions_;
};

template <class R>
struct typed_outcomes {
    typed_outcomes(state_array states, std::uint64_t total) : values(std::move(states), total) {}
    typed_results<R> values;
    failures errors;
};

/// A body over a range of inputs, values kept in memory.
template <class R, class Inputs, class Body>
class typed_work final : public work {
public:
    static constexpr bool keeps_times = false;

    typed_work(Inputs inputs, Body body, std::shared_ptr<typed_outcomes<R>> outcomes)
        : inputs_(std::move(inputs)), body_(std::move(body)), outcomes_(std::move(outcomes))
    {
    }

    void run(turn& turn, std::uint64_t begin, std::uint64_t end) noexcept override
    {
        run_range(turn, *this, begin, end);
    }

    void run(std::uint64_t index, job& job)
    {
        outcomes_->values.emplace(index, [&]() -> R {
            decltype(auto) input = inputs_(index);
            if constexpr (std::invocable<Body const&, decltype(input), belay::job&>)
                return std::invoke(std::as_const(body_), std::forward<decltype(input)>(input), job);
            else
                return std::invoke(std::as_const(body_), std::forward<decltype(input)>(input));
        });
    }

    void prepare(std::uint64_t index, job_byte how, std::exception_ptr& exception, std::int64_t,
                 std::int64_t, slot&) noexcept
    {
        if (how == job_byte::succeeded || how == job_byte::succeeded_late) [[likely]]
            return;
        if (!exception)
            outcomes_->values.drop(index);
        else if (how == job_byte::failed)
            outcomes_->errors.put(index, exception);
    }

    void counted(std::uint64_t, job_byte) noexcept {}

    void revoke(std::uint64_t index, job_byte how) noexcept
    {
        if (how == job_byte::failed)
            outcomes_->errors.drop(index);
        else if (how != job_byte::stopped)
            outcomes_->values.drop(index);
    }

private:
    Inputs inputs_;
    Body body_;
    std::shared_ptr<typed_outcomes<R>> outcomes_;
};

} // namespace belay::detail

#endif
