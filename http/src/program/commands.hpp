// This folder: the `belay` program, and what its process is given. Message, types and the public headers
// come in, not the insides of the server.
//
// The commands of the `belay` program, a file each.
#ifndef BELAY_HTTP_PROGRAM_COMMANDS_HPP
#define BELAY_HTTP_PROGRAM_COMMANDS_HPP

#include <functional>

namespace CLI {
class App;
}

namespace belay::program {

/// Adds the command to `app`; when it was given, `run` is set to what it does. Its value is the
/// exit status.
void add_serve(CLI::App& app, std::function<int()>& run);
void add_demo(CLI::App& app, std::function<int()>& run);
void add_bench(CLI::App& app, std::function<int()>& run);

} // namespace belay::program

#endif
