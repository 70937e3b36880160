#ifndef BELAY_HTTP_SERVICE_CANCEL_HISTORY_HPP
#define BELAY_HTTP_SERVICE_CANCEL_HISTORY_HPP

#include <belay/cancel_operation.hpp>
#include <belay/job_type.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace belay::http {

/// The cancels that ended last, each of which is told to a log.
///
/// Lifetime: what it waits for may come when the server is gone. Thread safety: full.
class cancel_history : public std::enable_shared_from_this<cancel_history> {
public:
    using log = std::function<void(std::string const&)>;

    explicit cancel_history(log write) : write_(std::move(write)) {}

    /// Notes the cancel of that batch once it is over, once.
    void watch(recorded_batch const& batch);

    /// Writes to the log what has become of that operation once it is over.
    void watch(cancel_operation const& operation);

    /// The last of them first.
    [[nodiscard]] boost::json::array view() const;

private:
    void note(recorded_batch const& batch);

    static constexpr std::size_t kept_max = 100;

    log const write_;
    mutable std::mutex mutex_;
    std::deque<boost::json::object> last_; // guarded by mutex_; the oldest first
};

} // namespace belay::http

#endif
