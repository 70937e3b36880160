// Pages of inputs, as they are packed in belay.db: docs/format.md.
#ifndef BELAY_STORE_INPUT_PAGES_HPP
#define BELAY_STORE_INPUT_PAGES_HPP

#include <belay/job_type.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace belay {

inline constexpr std::uint64_t page_inputs_max = 1024;
inline constexpr std::size_t page_bytes_max = 256 * 1024; ///< of a page with more than one input

/// Inputs as one row keeps them.
struct packed_page {
    std::uint64_t count = 0;
    std::string bytes;
};

/// As many of `inputs` as fit into one page, from `begin`, which is one of them, on.
[[nodiscard]] packed_page pack_inputs(byte_strings const& inputs, std::uint64_t begin);

/// Throws `error` (`store_failed`) if `bytes` are no page of `count` inputs.
[[nodiscard]] byte_strings unpack_inputs(std::uint64_t count, std::string_view bytes);

} // namespace belay

#endif
