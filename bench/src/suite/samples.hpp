#ifndef BELAY_BENCH_SAMPLES_HPP
#define BELAY_BENCH_SAMPLES_HPP

#include <cstddef>
#include <span>
#include <vector>

namespace belay::bench {

/// What was measured again and again. The statistics want at least one sample.
class samples {
public:
    void add(double value) { values_.push_back(value); }

    [[nodiscard]] std::size_t size() const noexcept { return values_.size(); }
    [[nodiscard]] bool empty() const noexcept { return values_.empty(); }

    /// In the order in which they were taken.
    [[nodiscard]] std::span<double const> values() const noexcept { return values_; }

    [[nodiscard]] double minimum() const { return percentile(0); }
    [[nodiscard]] double median() const { return percentile(50); }
    [[nodiscard]] double maximum() const { return percentile(100); }

    /// The smallest sample that at least `percent` of the samples don't exceed, 0 … 100.
    [[nodiscard]] double percentile(double percent) const;

    /// Whether at least one sample is beyond it, without which a percentile is just the greatest.
    [[nodiscard]] bool can_tell(double percent) const noexcept
    {
        return static_cast<double>(size()) * (100 - percent) >= 100 - 1e-9;
    }

    struct interval {
        double low;
        double high;
    };

    /// Where the true percentile lies with a confidence of 95 %: between two of the samples, by the
    /// binomial distribution of how many are below it, whatever theirs is. With few samples it
    /// reaches from the least to the most, and says less.
    [[nodiscard]] interval confidence(double percent) const;

private:
    std::vector<double> values_;
};

} // namespace belay::bench

#endif
