#ifndef BELAY_HTTP_PROGRAM_LOCAL_ENGINE_HPP
#define BELAY_HTTP_PROGRAM_LOCAL_ENGINE_HPP

#include <belay/engine.hpp>

#include <cstddef>

namespace belay::program {

/// How the program runs its engine: `workers` threads (0: one a processor) at nice 10, so that
/// requests are answered while every processor is busy.
[[nodiscard]] engine_options local_engine(std::size_t workers);

/// Leaves the program without waiting for threads whose bodies were abandoned.
[[noreturn]] void leave(int status);

} // namespace belay::program

#endif
