// What dry runs have shown.
#ifndef BELAY_HTTP_SERVICE_SHOWN_BATCHES_HPP
#define BELAY_HTTP_SERVICE_SHOWN_BATCHES_HPP

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace belay::http {

/// Sequences of batches, ascending.
using batch_set = std::shared_ptr<std::vector<std::uint64_t> const>;

/// The batches that dry runs of cancels of many have shown last, each under an ETag.
///
/// Thread safety: full.
class shown_batches {
public:
    /// Its ETag, the same for the same batches; nothing where they are too many to be remembered.
    [[nodiscard]] std::optional<std::string> remember(batch_set const& batches);

    /// What an If-Match field names, as far as it is remembered; the last of them.
    [[nodiscard]] batch_set find(std::string_view if_match) const;

private:
    struct entry {
        std::string tag;
        batch_set batches;
    };

    static constexpr std::size_t entries_max = 64;
    static constexpr std::size_t batches_max = 1'000'000; ///< in all

    mutable std::mutex mutex_;
    std::deque<entry> entries_; // guarded by mutex_; the oldest first
    std::size_t batches_ = 0;   // likewise; how many they are in all
};

} // namespace belay::http

#endif
