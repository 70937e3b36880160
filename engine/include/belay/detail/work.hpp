// What a batch runs: the core knows indices and outcomes, a `work` knows inputs and values.
// Not for users.
#ifndef BELAY_DETAIL_WORK_HPP
#define BELAY_DETAIL_WORK_HPP

#include <belay/detail/lazy_array.hpp>
#include <belay/detail/run.hpp>
#include <belay/error.hpp>
#include <belay/export.hpp>
#include <belay/job_file.hpp>

#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace belay::detail {

/// The states of a batch's jobs, shared by all that have to read them.
using state_array = std::shared_ptr<std::atomic<job_byte>[]>;

class BELAY_EXPORT work {
public:
    virtual ~work() = default;
    /// Runs what is pending in [begin, end); see `detail::run_range`.
    virtual void run(turn& turn, std::uint64_t begin, std::uint64_t end) noexcept = 0;
    /// Keeps why an attempt failed whose body was abandoned after its time-out. Recorded batches
    /// have the core write that.
    virtual void fail(std::uint64_t index, std::exception_ptr exception) noexcept = 0;
    /// Whether its jobs go on without a thread.
    [[nodiscard]] virtual bool is_asynchronous() const noexcept { return false; }
    /// The file that was uploaded for a job; nothing if none was. Throws as `job::input_file`.
    [[nodiscard]] virtual std::optional<job_file> input_file(std::uint64_t) { return std::nullopt; }
};

/// What the jobs of a typed batch came to.
template <class R>
class typed_results {
public:
    /// What a body returned, until the end of its job stands.
    using value = std::optional<R>;

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

    /// Throws what moving an `R` throws.
    void put(std::uint64_t index, value& returned)
    {
        ::new (static_cast<void*>(&values_[index])) R(std::move(*returned));
    }

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
    struct value {};

    typed_results(state_array, std::uint64_t) {}
    void put(std::uint64_t, value&) noexcept {}
};

/// Whether `exception` only says that its thrower has stopped: `stopped`, or a system_error of the
/// standard's or of Boost's that says `operation_aborted`.
[[nodiscard]] BELAY_EXPORT bool is_stop(std::exception_ptr const& exception) noexcept;

/// The exceptions of jobs that failed, or threw when they were stopped. Thread safety: full.
class BELAY_EXPORT failures {
public:
    failures();
    ~failures();
    void put(std::uint64_t index, std::exception_ptr exception);
    [[nodiscard]] std::exception_ptr get(std::uint64_t index) const;

private:
    struct table;
    std::unique_ptr<table> const table_;
};

template <class R>
struct typed_outcomes {
    typed_outcomes(state_array states, std::uint64_t total) : values(std::move(states), total) {}
    typed_results<R> values;
    failures errors;
};

/// A body whose values are kept in memory.
template <class R>
class typed_work : public work {
public:
    static constexpr bool is_recorded = false;
    using value = typename typed_results<R>::value;

    explicit typed_work(std::shared_ptr<typed_outcomes<R>> outcomes)
        : outcomes_(std::move(outcomes))
    {
    }

    [[nodiscard]] job_byte finish(std::uint64_t index, job_byte how, value& returned,
                                  std::exception_ptr& exception) noexcept
    {
        if (how == job_byte::succeeded || how == job_byte::succeeded_late) [[likely]] {
            try {
                outcomes_->values.put(index, returned);
                return how;
            } catch (...) {
                exception = std::current_exception();
                how = job_byte::failed;
            }
        }
        if (how == job_byte::failed ||
            (how == job_byte::stopped && exception && !is_stop(exception)))
            outcomes_->errors.put(index, exception);
        return how;
    }

    void fail(std::uint64_t index, std::exception_ptr exception) noexcept override
    {
        outcomes_->errors.put(index, std::move(exception));
    }

private:
    std::shared_ptr<typed_outcomes<R>> outcomes_;
};

/// Calls a body that may want its job.
template <class Body, class Input>
decltype(auto) call_body(Body const& body, Input&& input, job& job)
{
    if constexpr (std::invocable<Body const&, Input, belay::job&>)
        return std::invoke(body, std::forward<Input>(input), job);
    else
        return std::invoke(body, std::forward<Input>(input));
}

/// A plain body over a range of inputs.
template <class R, class Inputs, class Body>
class body_work final : public typed_work<R> {
public:
    using typename typed_work<R>::value;

    body_work(Inputs inputs, Body body, std::shared_ptr<typed_outcomes<R>> outcomes)
        : typed_work<R>(std::move(outcomes)), inputs_(std::move(inputs)), body_(std::move(body))
    {
    }

    void run(turn& turn, std::uint64_t begin, std::uint64_t end) noexcept override
    {
        run_range(turn, *this, begin, end);
    }

    void run(std::uint64_t index, job& job, value& returned)
    {
        if constexpr (std::is_void_v<R>)
            call_body(body_, inputs_(index), job);
        else
            returned.emplace(call_body(body_, inputs_(index), job));
    }

private:
    Inputs inputs_;
    Body body_;
};

} // namespace belay::detail

#endif
