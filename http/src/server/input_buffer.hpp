#ifndef BELAY_HTTP_SERVER_INPUT_BUFFER_HPP
#define BELAY_HTTP_SERVER_INPUT_BUFFER_HPP

#include <boost/beast/core/flat_buffer.hpp>

#include <string_view>

namespace belay::http {

/// What has come from a client and was not used up.
using input_buffer = boost::beast::flat_buffer;

/// Good until the buffer is changed.
[[nodiscard]] inline std::string_view bytes_of(input_buffer const& input) noexcept
{
    return {static_cast<char const*>(input.data().data()), input.size()};
}

} // namespace belay::http

#endif
