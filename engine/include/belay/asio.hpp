// Bodies that are coroutines, and batches as asynchronous operations, with Boost.Asio. The library
// itself shares nothing with the Asio of the program that includes this: it may be of any version,
// used as headers or compiled.
#ifndef BELAY_ASIO_HPP
#define BELAY_ASIO_HPP

#include <belay/batch.hpp>
#include <belay/detail/asynchronous.hpp>
#include <belay/detail/coroutine_run.hpp>
#include <belay/detail/run.hpp>
#include <belay/engine.hpp>
#include <belay/job_type.hpp>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <atomic>
#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace belay {

namespace detail {

template <class T>
struct awaited;
template <class R>
struct awaited<boost::asio::awaitable<R>> {
    using type = R;
};

/// A body that gives a coroutine, and the executor that this is to run on.
template <class R, class Inputs, class Body>
class coroutine_work final : public typed_work<R> {
public:
    using typename typed_work<R>::value;

    coroutine_work(Inputs inputs, Body body, std::shared_ptr<typed_outcomes<R>> outcomes)
        : typed_work<R>(std::move(outcomes)), inputs_(std::move(inputs)), body_(std::move(body))
    {
    }

    [[nodiscard]] bool is_asynchronous() const noexcept override { return true; }
    void run(turn& turn, std::uint64_t begin, std::uint64_t end) noexcept override
    {
        run_range(turn, *this, begin, end);
    }
    void run(std::uint64_t, job&, value&) noexcept {} // never: `start` is called instead

    void start(turn& turn, std::uint64_t index, std::int64_t started) noexcept
    {
        std::shared_ptr<detached_job> detached;
        try {
            detached = detach(turn, index, started);
            start_coroutine<R>(
                turn, index, body_.get_executor(), call{body_.get(), input{inputs_(index)}}, detached,
                [this, detached, index, started](job& job, value& returned,
                                                 std::exception_ptr exception) {
                    auto const end = [&](belay::detail::turn& later) {
                        auto const how =
                            exception ? job_access::threw(job) : job_access::returned(job);
                        end_detached(later, *this, index, how, returned, exception, started);
                    };
                    resume(*detached, std::cref(end)); // without memory: nobody would do it again
                });
        } catch (...) {
            auto const end = [&](belay::detail::turn& later) {
                value none;
                auto exception = std::current_exception();
                job job = job_access::make(later, index);
                job_access::set_entered(job, false);
                end_detached(later, *this, index, job_access::threw(job), none, exception, started);
            };
            if (detached)
                resume(*detached, std::cref(end));
            else
                end(turn);
        }
    }

private:
    using input = std::tuple<decltype(std::declval<Inputs const&>()(std::uint64_t{}))>;
    using function = typename Body::target_type;

    struct call {
        function const& body;
        input with;
        boost::asio::awaitable<R> operator()(job& job)
        {
            return call_body(body, std::get<0>(std::move(with)), job);
        }
    };

    Inputs const inputs_;
    Body const body_;
};

template <class Function, class Executor, class Input>
    requires body_for<Function, Input>
struct body_traits<boost::asio::executor_binder<Function, Executor>, Input> {
    using coroutine = typename body_traits<Function, Input>::result;
    static_assert(requires { typename awaited<coroutine>::type; },
                  "a body that has an executor is a coroutine: it returns boost::asio::awaitable<R>");
    using result = typename awaited<coroutine>::type;
    template <class Inputs>
    using work =
        coroutine_work<result, Inputs, boost::asio::executor_binder<Function, Executor>>;
};

/// A mutable lambda, say.
template <class Function, class Executor, class Input>
    requires(!body_for<Function, Input>)
struct body_traits<boost::asio::executor_binder<Function, Executor>, Input> {
    static_assert(!std::same_as<Function, Function>,
                  "a body that is a coroutine is called, const, as body(input) or body(input, job): "
                  "it can't be mutable");
    using result = void;
};

template <class R>
struct typed_outcomes<boost::asio::awaitable<R>> {
    static_assert(!std::same_as<R, R>,
                  "a body that returns boost::asio::awaitable<R> needs an executor: give "
                  "boost::asio::bind_executor(executor, body) to submit");
};

/// Waits for the end of a batch, on behalf of a completion handler.
template <class Handler>
class wait_operation : public std::enable_shared_from_this<wait_operation<Handler>> {
public:
    wait_operation(any_batch batch, Handler handler)
        : batch_(std::move(batch)), handler_(std::move(handler)),
          work_(boost::asio::get_associated_executor(handler_))
    {
    }

    void start()
    {
        auto const self = this->shared_from_this();
        auto slot = boost::asio::get_associated_cancellation_slot(handler_);
        if (slot.is_connected())
            slot.assign([waiting = std::weak_ptr(self)](boost::asio::cancellation_type type) {
                if (auto const operation = waiting.lock();
                    operation && type != boost::asio::cancellation_type::none)
                    operation->abort();
            });
        subscription_ = batch_.on_end([self] { self->complete({}); });
    }

private:
    void abort()
    {
        batch_.unsubscribe(subscription_);
        complete(boost::asio::error::operation_aborted);
    }

    void complete(boost::system::error_code error)
    {
        if (completed_.exchange(true))
            return;
        boost::asio::post(work_.get_executor(), [self = this->shared_from_this(), error]() mutable {
            boost::asio::get_associated_cancellation_slot(self->handler_).clear();
            auto handler = std::move(self->handler_);
            auto const batch = self->batch_;
            self.reset();
            std::move(handler)(error, batch.status());
        });
    }

    any_batch const batch_;
    Handler handler_;
    boost::asio::executor_work_guard<boost::asio::associated_executor_t<Handler>> work_;
    std::atomic<bool> completed_{false};
    any_batch::subscription subscription_ = 0;
};

/// Tells a completion handler what a cancel did.
template <class Handler>
class cancel_operation {
public:
    explicit cancel_operation(Handler handler)
        : handler_(std::move(handler)), work_(boost::asio::get_associated_executor(handler_))
    {
    }

    void complete(std::exception_ptr exception, cancel_result result)
    {
        boost::asio::post(work_.get_executor(),
                          [handler = std::move(handler_), exception = std::move(exception),
                           result = std::move(result)]() mutable {
                              std::move(handler)(std::move(exception), std::move(result));
                          });
    }

private:
    Handler handler_;
    boost::asio::executor_work_guard<boost::asio::associated_executor_t<Handler>> work_;
};

/// The coroutine of a job type, and the executor that it is to run on.
template <class Body>
class bound_coroutine final : public coroutine_body {
public:
    explicit bound_coroutine(Body body) : body_(std::move(body)) {}

    void start(turn& turn, std::uint64_t index, std::string_view input,
               std::shared_ptr<void const> owner,
               std::shared_ptr<detached_job const> const& job, done told) const override
    {
        start_coroutine<std::string>(turn, index, body_.get_executor(),
                                     call{body_.get(), input, std::move(owner)}, job,
                                     std::move(told));
    }

private:
    struct call {
        typename Body::target_type const& body;
        std::string_view input;
        std::shared_ptr<void const> owner;
        boost::asio::awaitable<std::string> operator()(job& job)
        {
            return call_body(body, std::string_view(input), job);
        }
    };

    Body const body_;
};

} // namespace detail

/// What `job_type::coroutine` is to be: `body` is `boost::asio::bind_executor(executor, function)`, with
/// a function `boost::asio::awaitable<std::string>(std::string_view input, belay::job& job)`, or one
/// of the input alone. Each job is a coroutine on a strand of its own over `executor`. The input
/// lives as long as the coroutine.
template <class Function, class Executor>
[[nodiscard]] std::shared_ptr<detail::coroutine_body const>
coroutine(boost::asio::executor_binder<Function, Executor> body)
{
    static_assert(std::same_as<typename detail::body_traits<
                                   boost::asio::executor_binder<Function, Executor>,
                                   std::string_view>::result,
                               std::string>,
                  "the coroutine of a job type gives a boost::asio::awaitable<std::string>");
    return std::make_shared<
        detail::bound_coroutine<boost::asio::executor_binder<Function, Executor>> const>(
        std::move(body));
}

template <class CompletionToken>
auto any_batch::async_wait(CompletionToken&& token) const
{
    return boost::asio::async_initiate<CompletionToken,
                                       void(boost::system::error_code, batch_status)>(
        [](auto handler, any_batch batch) {
            using operation = detail::wait_operation<decltype(handler)>;
            std::make_shared<operation>(std::move(batch), std::move(handler))->start();
        },
        token, *this);
}

template <class CompletionToken>
auto any_batch::async_cancel(cancel_request request, CompletionToken&& token) const
{
    return boost::asio::async_initiate<CompletionToken, void(std::exception_ptr, cancel_result)>(
        [](auto handler, any_batch const& batch, cancel_request const& asked) {
            using operation = detail::cancel_operation<decltype(handler)>;
            auto const told = std::make_shared<operation>(std::move(handler));
            try {
                batch.cancel(asked, [told](cancel_result const& result) {
                    told->complete(detail::cancel_failure(result.outcome, result.problem), result);
                });
            } catch (error const&) {
                told->complete(std::current_exception(), {});
            }
        },
        token, *this, std::move(request));
}

template <class CompletionToken>
auto any_batch::async_cancel(CompletionToken&& token) const
{
    return async_cancel(cancel_request(), std::forward<CompletionToken>(token));
}

} // namespace belay

#endif
