// The idempotency keys of requests that are under way.
#ifndef BELAY_HTTP_SERVICE_IDEMPOTENCY_KEYS_HPP
#define BELAY_HTTP_SERVICE_IDEMPOTENCY_KEYS_HPP

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace belay::http {

/// Gives each key of an owner to one request at a time.
///
/// Lifetime: shared with the claims, which may outlive the server: a creation that nobody waits for
/// any more keeps its key until the store has answered. Thread safety: full.
class idempotency_keys : public std::enable_shared_from_this<idempotency_keys> {
public:
    /// The key is taken until the last copy is gone.
    using claim = std::shared_ptr<void const>;

    /// Null if another request has it.
    [[nodiscard]] claim take(std::string_view owner, std::string_view key)
    {
        std::scoped_lock const lock(mutex_);
        auto const [place, is_new] = taken_.emplace(owner, key);
        if (!is_new)
            return nullptr;
        return {&*place, [self = shared_from_this(), place](void const*) {
                    std::scoped_lock const lock(self->mutex_);
                    self->taken_.erase(place);
                }};
    }

private:
    std::mutex mutex_;
    std::set<std::pair<std::string, std::string>> taken_; // guarded by mutex_
};

/// Whether it is 1 … 255 visible ASCII characters.
[[nodiscard]] inline bool is_idempotency_key(std::string_view text) noexcept
{
    constexpr std::size_t characters_max = 255;
    for (char const c : text)
        if (c < 0x21 || c > 0x7e)
            return false;
    return !text.empty() && text.size() <= characters_max;
}

} // namespace belay::http

#endif
