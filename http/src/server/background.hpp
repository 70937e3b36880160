#ifndef BELAY_HTTP_SRC_SERVER_BACKGROUND_HPP
#define BELAY_HTTP_SRC_SERVER_BACKGROUND_HPP

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <functional>

namespace belay::http {

/// Does what may take long, such as reading many MiB from a disk, on a thread of its own: one piece of
/// work after the other, in the order in which they come.
///
/// Thread safety: `run` is called on one executor, which does one thing at a time; `close` on any
/// thread but its own.
class background {
public:
    /// Throws boost::system::system_error.
    background() = default;

    /// Has `work` done and waits for that, on a timer of the caller's, which nobody else may use
    /// meanwhile: cancelling it ends the wait if the work was not begun, and then it never is. Whether
    /// it was done. Throws what the work does; std::bad_alloc.
    [[nodiscard]] boost::asio::awaitable<bool> run(boost::asio::steady_timer& timer,
                                                   std::function<void()> work);

    /// Finishes what is being done and begins nothing after it.
    void close();

private:
    struct task;
    void perform(task& task, boost::asio::steady_timer& timer) noexcept;

    std::atomic<bool> is_closed_{false};
    boost::asio::thread_pool pool_{1};
};

} // namespace belay::http

#endif
