// What is not to be had at the moment, and may be in a while: descriptors, above all. Not for
// users.
#ifndef BELAY_DETAIL_SHORTAGE_HPP
#define BELAY_DETAIL_SHORTAGE_HPP

#include <belay/error.hpp>
#include <belay/job.hpp>

#include <chrono>
#include <exception>
#include <system_error>

namespace belay::detail {

/// How long an attempt waits before it asks again.
inline constexpr std::chrono::milliseconds shortage_pause{20};

/// Whether the system has run out of something: descriptors, processes or threads, or memory of the
/// kernel's.
[[nodiscard]] inline bool is_shortage(std::error_code const& problem) noexcept
{
    return problem == std::errc::too_many_files_open ||
           problem == std::errc::too_many_files_open_in_system ||
           problem == std::errc::resource_unavailable_try_again ||
           problem == std::errc::not_enough_memory;
}

/// The same of an errno.
[[nodiscard]] inline bool is_shortage(int number) noexcept
{
    return is_shortage(std::error_code(number, std::system_category()));
}

/// The same of what was thrown.
[[nodiscard]] inline bool is_shortage(std::exception_ptr const& problem) noexcept
{
    if (!problem)
        return false;
    try {
        std::rethrow_exception(problem);
    } catch (std::system_error const& failed) {
        return is_shortage(failed.code());
    } catch (...) {
        return false;
    }
}

/// What `open` gives. As long as it throws that something has run out, the job waits, which its
/// time-out and any other stop end: then `stopped` is thrown.
template <class Open>
[[nodiscard]] auto when_available(job& job, Open const& open) -> decltype(open())
{
    while (true) {
        try {
            return open();
        } catch (std::system_error const& problem) {
            if (!is_shortage(problem.code()))
                throw;
        }
        if (!job.sleep_for(shortage_pause))
            throw stopped{};
    }
}

} // namespace belay::detail

#endif
