// The results of a batch, and its failures, as ranges. Not for users.
#ifndef BELAY_DETAIL_RESULTS_HPP
#define BELAY_DETAIL_RESULTS_HPP

#include <belay/state.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <ranges>
#include <utility>

namespace belay::detail {

/// What has succeeded, or failed, so far of a batch, by index; each pass looks anew. `Batch` has
/// `size()`, `job_state_of(index)` and `ended<State>(index)`. Iterators end with the range.
///
/// No pipeline of std::views: a filter looks for the first element only once, so that a later pass
/// would miss those before it; and clang 14 and 15 can't compile those of libstdc++.
template <class Batch, job_state State>
class ended_jobs {
public:
    class iterator {
    public:
        using iterator_concept = std::forward_iterator_tag;
        using iterator_category = std::input_iterator_tag;
        using value_type = decltype(std::declval<Batch const&>().template ended<State>(0));
        using difference_type = std::ptrdiff_t;
        using reference = value_type;
        using pointer = void;

        iterator() = default;
        iterator(Batch const& batch, std::uint64_t index) : batch_(&batch), index_(index)
        {
            skip();
        }

        value_type operator*() const { return batch_->template ended<State>(index_); }
        iterator& operator++()
        {
            ++index_;
            skip();
            return *this;
        }
        iterator operator++(int)
        {
            auto const before = *this;
            ++*this;
            return before;
        }
        bool operator==(iterator const& other) const noexcept { return index_ == other.index_; }

    private:
        void skip()
        {
            while (index_ != batch_->size() && batch_->job_state_of(index_) != State)
                ++index_;
        }

        Batch const* batch_ = nullptr;
        std::uint64_t index_ = 0;
    };

    explicit ended_jobs(Batch batch) : batch_(std::move(batch)) {}

    [[nodiscard]] iterator begin() const { return {batch_, 0}; }
    [[nodiscard]] iterator end() const { return {batch_, batch_.size()}; }
    [[nodiscard]] bool empty() const { return begin() == end(); }

private:
    Batch batch_;
};

} // namespace belay::detail

template <class Batch, belay::job_state State>
inline constexpr bool std::ranges::enable_view<belay::detail::ended_jobs<Batch, State>> = true;

#endif
