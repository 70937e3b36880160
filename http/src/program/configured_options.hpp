#ifndef BELAY_HTTP_PROGRAM_CONFIGURED_OPTIONS_HPP
#define BELAY_HTTP_PROGRAM_CONFIGURED_OPTIONS_HPP

#include <string>

namespace CLI {
class App;
}

namespace belay::program {

/// Takes what the command line does not say from the table `[serve]` of a configuration file, as if
/// it stood there. Throws std::runtime_error that has all faults, `FILE:LINE: what is wrong`, one a
/// line.
void take_configured_options(CLI::App& command, std::string const& file);

} // namespace belay::program

#endif
