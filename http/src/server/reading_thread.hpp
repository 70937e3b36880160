#ifndef BELAY_HTTP_SERVER_READING_THREAD_HPP
#define BELAY_HTTP_SERVER_READING_THREAD_HPP

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

namespace belay::http {

/// Does what may take long, such as reading many MiB from a disk or syncing them, on a thread of
/// its own: one piece of work after the other, in the order in which they come. Thread safety:
/// full, save that one thread closes it.
class reading_thread {
public:
    /// Throws std::system_error.
    reading_thread() = default;
    ~reading_thread() { close(); }

    /// Has `work` done and waits for that; cancelling `timer`, which has no other use, ends the wait
    /// if the work was not begun, and then it never is. Whether it was done. It may still be done
    /// when this was destroyed: so it owns what it touches. Throws what the work does; std::bad_alloc.
    [[nodiscard]] boost::asio::awaitable<bool>
    run(std::shared_ptr<boost::asio::steady_timer> timer, std::function<void()> work);

    /// Waits until what is being done has been done, and begins nothing after it.
    void close();

private:
    struct task;
    class place;

    void work();
    void perform(task& task) noexcept;
    [[nodiscard]] bool is_closed();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::list<std::shared_ptr<task>> waiting_; // guarded by mutex_
    bool is_closed_ = false;                   // guarded by mutex_
    std::thread thread_{[this] { work(); }};
};

} // namespace belay::http

#endif
