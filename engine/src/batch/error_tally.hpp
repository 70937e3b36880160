#ifndef BELAY_BATCH_ERROR_TALLY_HPP
#define BELAY_BATCH_ERROR_TALLY_HPP

#include <belay/job_type.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace belay::detail {

/// Why jobs of a batch failed, and how often each. After 1,000 different messages new ones are not
/// counted, nor those that would make them longer than 1 MiB in all.
///
/// Thread safety: full.
class error_tally {
public:
    void add(failure code, std::string const& message, std::uint64_t count = 1)
    {
        std::pair key(code, message);
        std::scoped_lock const lock(mutex_);
        if (auto const found = counts_.find(key); found != counts_.end()) {
            found->second += count;
        } else if (counts_.size() != distinct_max && message.size() <= bytes_max - bytes_) {
            bytes_ += message.size();
            counts_.emplace(std::move(key), count);
        }
    }

    /// The most frequent first, at most `most`.
    [[nodiscard]] std::vector<error_count> most_frequent(std::size_t most) const
    {
        std::vector<error_count> result;
        {
            std::scoped_lock const lock(mutex_);
            for (auto const& [what, count] : counts_)
                result.push_back({what.first, what.second, count});
        }
        std::ranges::stable_sort(result, std::greater(), &error_count::count);
        result.resize(std::min(result.size(), most));
        return result;
    }

    static constexpr std::size_t distinct_max = 1000;
    static constexpr std::size_t bytes_max = 1024 * 1024;

private:
    mutable std::mutex mutex_;
    std::map<std::pair<failure, std::string>, std::uint64_t> counts_; // guarded by mutex_
    std::size_t bytes_ = 0;                                           // of messages; likewise
};

} // namespace belay::detail

#endif
