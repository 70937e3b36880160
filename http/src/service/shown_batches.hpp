// What dry runs have shown.
#ifndef BELAY_HTTP_SERVICE_SHOWN_BATCHES_HPP
#define BELAY_HTTP_SERVICE_SHOWN_BATCHES_HPP

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace belay::http {

/// Sequences of batches, ascending.
using batch_set = std::shared_ptr<std::vector<std::uint64_t> const>;

/// The batches that the last dry runs of cancels of many have shown to each owner, under an ETag.
///
/// Thread safety: none.
class shown_batches {
public:
    static constexpr std::size_t sets_max = 16;           ///< of an owner
    static constexpr std::size_t batches_max = 1'000'000; ///< in these

    /// In place of the first ones, where they are too many.
    void remember(std::string const& owner, std::string tag, batch_set batches);

    /// What an If-Match field names, as far as it is remembered; the last of them.
    [[nodiscard]] batch_set find(std::string const& owner, std::string_view if_match) const;

private:
    struct entry {
        std::string tag;
        batch_set batches;
    };

    std::map<std::string, std::deque<entry>> sets_; ///< by owner; the oldest first
};

} // namespace belay::http

#endif
