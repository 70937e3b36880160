// A coroutine of Asio's that runs for a job. Not for users.
#ifndef BELAY_DETAIL_COROUTINE_RUN_HPP
#define BELAY_DETAIL_COROUTINE_RUN_HPP

#include <belay/detail/asynchronous.hpp>
#include <belay/detail/run.hpp>
#include <belay/detail/work.hpp>
#include <belay/error.hpp>
#include <belay/job.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace belay::detail {

/// One coroutine, on a strand of its own: what it is told, and what it does, come one after the
/// other, whatever its executor is.
///
/// Thread safety: `stop` and `kill` may be called from any thread; all else is the strand's. Where
/// the executor's context is destroyed under it, that counts as the strand.
template <class R, class Executor, class Call, class Done>
class coroutine_run final
    : public asynchronous_body,
      public std::enable_shared_from_this<coroutine_run<R, Executor, Call, Done>> {
public:
    using value = typename typed_results<R>::value;

    coroutine_run(turn& turn, std::uint64_t index, Executor const& executor, Call call,
                  std::shared_ptr<detached_job const> detached, Done done)
        : strand_(std::in_place, executor), detached_(std::move(detached)),
          job_(job_access::make(turn, index)), call_(std::move(call)), done_(std::move(done))
    {
        job_access::set_entered(job_, false);
    }

    void start() noexcept
    {
        std::exception_ptr failure;
        bool was_dropped = false;
        {
            std::scoped_lock const lock(mutex_);
            stage_ = stage::starting;
            try {
                boost::asio::post(*strand_,
                                  [ending = completion(this->shared_from_this())]() mutable {
                                      auto& self = *ending.of;
                                      self.enter(std::move(ending));
                                  });
            } catch (...) {
                failure = std::current_exception();
            }
            was_dropped = dropped_;
            stage_ = failure || was_dropped ? stage::not_started : stage::started;
        }
        if (failure)
            finish(failure);
        else if (was_dropped)
            dropped();
    }

    void stop() noexcept override
    {
        {
            std::scoped_lock const lock(mutex_);
            told_ = true;
            if (!gone_) {
                try {
                    if (stage_ == stage::started && strand_)
                        boost::asio::post(*strand_,
                                          [self = this->shared_from_this()] { self->deliver(); });
                } catch (...) {
                    // Out of memory. What is not told to stop is abandoned in the end.
                }
                return;
            }
        }
        finish(gone());
    }

    /// Nothing ends a coroutine that goes on: it is abandoned.
    void kill() noexcept override {}

private:
    /// Tells of the end once, also where the coroutine is destroyed without one.
    struct completion {
        // Its own, where `bind_cancellation_slot` would have each stop dispatched once more.
        using cancellation_slot_type = boost::asio::cancellation_slot;

        explicit completion(std::shared_ptr<coroutine_run> run)
            : of(std::move(run)), slot(of->signal_.slot())
        {
        }
        completion(completion&&) noexcept = default;
        completion& operator=(completion&&) = delete;
        ~completion()
        {
            if (of)
                of->dropped();
        }
        void operator()(std::exception_ptr const& exception)
        {
            auto const run = std::move(of);
            run->finish(exception ? exception : run->exception_);
        }
        [[nodiscard]] cancellation_slot_type get_cancellation_slot() const noexcept { return slot; }

        std::shared_ptr<coroutine_run> of;
        cancellation_slot_type slot;
    };

    void enter(completion ending)
    {
        std::exception_ptr failure;
        entering_ = true;
        try {
            boost::asio::co_spawn(
                *strand_, [self = this->shared_from_this()] { return self->run(); },
                std::move(ending));
        } catch (...) {
            failure = std::current_exception();
        }
        entering_ = false;
        if (failure)
            finish(has_returned_ ? exception_ : failure);
    }

    boost::asio::awaitable<void> run()
    {
        if (told_) {
            exception_ = std::make_exception_ptr(stopped{});
            co_return; // its body is never entered
        }
        job_access::set_entered(job_, true);
        // A body that sets a state of its own in its place is asked at its end.
        co_await boost::asio::this_coro::reset_cancellation_state(
            [this](boost::asio::cancellation_type type) {
                job_access::show_stop(job_);
                return type & boost::asio::cancellation_type::terminal;
            },
            boost::asio::enable_terminal_cancellation());
        try {
            if constexpr (std::is_void_v<R>)
                co_await call_(job_);
            else
                value_.emplace(co_await call_(job_));
        } catch (...) {
            exception_ = std::current_exception();
        }
        has_returned_ = true;
        auto const state = co_await boost::asio::this_coro::cancellation_state;
        if (state.cancelled() != boost::asio::cancellation_type::none)
            job_access::show_stop(job_);
    }

    void deliver()
    {
        if (over_ || has_returned_)
            return;
        delivering_ = true;
        signal_.emit(boost::asio::cancellation_type::terminal);
        delivering_ = false;
        if (over_)
            signal_.slot().clear();
    }

    void dropped() noexcept
    {
        if (entering_)
            return; // `enter` tells why
        std::shared_ptr<detached_job const> detached;
        {
            std::scoped_lock const lock(mutex_);
            dropped_ = true;
            if (over_ || stage_ == stage::starting)
                return;
            gone_ = true;
            detached = detached_;
            let_go();
        }
        if (has_returned_)
            finish(exception_);
        else if (executor_gone(*detached) || told_)
            finish(gone());
    }

    void finish(std::exception_ptr exception) noexcept
    {
        std::shared_ptr<detached_job const> detached;
        {
            std::scoped_lock const lock(mutex_);
            if (std::exchange(over_, true))
                return;
            detached = std::move(detached_);
            let_go();
        }
        auto const done = std::move(done_);
        done(job_, value_, std::move(exception));
    }

    /// Lets go of all that belongs to the context, which from here on may be destroyed.
    void let_go() noexcept
    {
        strand_.reset();
        if (!delivering_)
            signal_.slot().clear();
    }

    [[nodiscard]] static std::exception_ptr gone()
    {
        return std::make_exception_ptr(std::runtime_error(
            "the execution context of the coroutine was destroyed before it had ended"));
    }

    enum class stage { not_started, starting, started };

    // Held while something is posted: who tells of the end, or destroys the context, waits until the
    // strand is out of the posting thread's hands. Recursive: a post that fails drops the completion.
    std::recursive_mutex mutex_;
    std::optional<boost::asio::strand<Executor>> strand_; // set under mutex_
    stage stage_ = stage::not_started; // guarded by mutex_
    std::atomic<bool> told_{false}; // set under mutex_
    bool dropped_ = false; // guarded by mutex_
    bool gone_ = false; // guarded by mutex_
    bool over_ = false; // set under mutex_, by the strand
    bool entering_ = false;
    bool has_returned_ = false;
    bool delivering_ = false;
    boost::asio::cancellation_signal signal_;
    std::shared_ptr<detached_job const> detached_;
    job job_;
    Call call_;
    Done done_;
    value value_;
    std::exception_ptr exception_;
};

/// Starts a coroutine for a job that was detached: `call(job)` gives it, and `done(job, value,
/// exception)` is told of its end, once. Throws if there is none to start.
template <class R, class Executor, class Call, class Done>
void start_coroutine(turn& turn, std::uint64_t index, Executor const& executor, Call call,
                     std::shared_ptr<detached_job const> const& job, Done done)
{
    using run = coroutine_run<R, Executor, Call, Done>;
    auto const made = std::make_shared<run>(turn, index, executor, std::move(call), job,
                                            std::move(done));
    set_body(*job, made);
    made->start();
}

} // namespace belay::detail

#endif
