#ifndef BELAY_BASE_EXCEPTION_MESSAGE_HPP
#define BELAY_BASE_EXCEPTION_MESSAGE_HPP

#include <exception>
#include <string>

namespace belay::detail {

/// What an exception says. Throws std::bad_alloc.
[[nodiscard]] inline std::string message_of(std::exception_ptr const& exception)
{
    try {
        std::rethrow_exception(exception);
    } catch (std::exception const& failed) {
        return failed.what();
    } catch (...) {
        return "something that is no std::exception";
    }
}

} // namespace belay::detail

#endif
