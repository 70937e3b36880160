#ifndef BELAY_BENCH_RUNNING_CONTEXT_HPP
#define BELAY_BENCH_RUNNING_CONTEXT_HPP

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <thread>

namespace belay::bench {

/// A context and the thread that runs it.
class running_context {
public:
    running_context() = default;
    ~running_context()
    {
        guard_.reset();
        thread_.join();
    }
    running_context(running_context const&) = delete;
    running_context& operator=(running_context const&) = delete;

    boost::asio::io_context context{1};

private:
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_{
        context.get_executor()};
    std::thread thread_{[this] { context.run(); }};
};

} // namespace belay::bench

#endif
