// How many descriptors programs may take, and some that are kept back for ending them.
#ifndef BELAY_BACKEND_PROCESS_DESCRIPTORS_HPP
#define BELAY_BACKEND_PROCESS_DESCRIPTORS_HPP

#include "base/file.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace belay::detail {

/// How many this process may have open.
[[nodiscard]] std::uint64_t descriptor_limit() noexcept;

/// The most programs that may run side by side where so many descriptors may be open: the rest is
/// for the store, for connections, and for the host program. At least one.
[[nodiscard]] std::size_t programs_within(std::uint64_t descriptors) noexcept;

/// Descriptors that are lent to those who end programs where there are no others. Between the
/// lending and its use another thread may be faster: then they are to ask again.
///
/// Thread safety: none.
class descriptor_reserve {
public:
    /// Takes what there is to be had of what is missing, but for one that is left to others.
    void refill() noexcept;

    /// Gives them back at its end.
    class loan {
    public:
        explicit loan(descriptor_reserve& from) noexcept : from_(from) { from_.kept_ = {}; }
        ~loan() { from_.refill(); }
        loan(loan const&) = delete;
        loan& operator=(loan const&) = delete;

    private:
        descriptor_reserve& from_;
    };
    [[nodiscard]] loan lend() noexcept { return loan(*this); }

private:
    /// A directory, what is in it, and a pidfd: what the search for processes takes, and one more.
    std::array<file, 4> kept_;
};

} // namespace belay::detail

#endif
