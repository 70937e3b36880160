#ifndef BELAY_BATCH_SUSPECTS_HPP
#define BELAY_BATCH_SUSPECTS_HPP

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>

namespace belay::detail {

/// Which jobs may run of those that ran at a crash and have not ended since, of all batches
/// together: every one after a first crash, four at a time after a second, then one at a time. So
/// the one that ends the engine is found, though others ran beside it.
///
/// Thread safety: full; nothing of anybody else's is called under its lock.
class suspects {
public:
    /// So many may run at a time of suspects of which one has been through so many crashes.
    [[nodiscard]] static std::size_t limit_after(std::uint32_t crashes) noexcept
    {
        return crashes <= 1 ? std::numeric_limits<std::size_t>::max() : crashes == 2 ? 4 : 1;
    }

    /// There is one more, which ran at so many crashes.
    void add(std::uint32_t crashes);

    /// Whether one may run now, and then it has a place. Else `may_run` is called once there is a
    /// place for it, inside `leave`; false gives that back.
    [[nodiscard]] bool enter(std::function<bool()> may_run);

    /// One more is kept back for want of a place; so many no longer are.
    void keep_back();
    void take_back(std::size_t jobs);

    /// What is worth knowing: how many are kept back, and why; nothing if there are none.
    [[nodiscard]] std::optional<std::string> notice() const;

    /// So many places are free again, and some have ended: how many crashes each of these ran at.
    /// Calls those who wait.
    void leave(std::size_t places, std::span<std::uint32_t const> ended);

private:
    [[nodiscard]] std::size_t limit() const;

    mutable std::mutex mutex_;                     ///< guards what follows
    std::map<std::uint32_t, std::size_t> crashes_; ///< how many suspects ran at so many
    std::size_t inside_ = 0;
    std::size_t kept_back_ = 0;
    std::deque<std::function<bool()>> waiting_;
};

} // namespace belay::detail

#endif
