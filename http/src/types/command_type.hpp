// Job types that run a command.
#ifndef BELAY_HTTP_TYPES_COMMAND_TYPE_HPP
#define BELAY_HTTP_TYPES_COMMAND_TYPE_HPP

#include "types/argument.hpp"
#include "types/command_input.hpp"

#include <belay/http/types.hpp>
#include <belay/process.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace belay::http {

/// What the operator said of a type.
struct command_description {
    job_type type; ///< its name and limits; the rest is made of what follows

    /// What does not depend on the job: environment, limits, `output` where an argument has its
    /// place. Has no arguments.
    belay::command command = {};

    std::string program = {};                       ///< an absolute path
    std::vector<argument> arguments = {};           ///< those after the program
    std::vector<command_input> inputs = {};         ///< as many as `json_path::members_max`
    std::optional<std::size_t> standard_input = {}; ///< index of the input, of the kind path
    std::uint64_t input_bytes_max = std::uint64_t{1} << 30; ///< of the files of one job, in all
};

/// Its result is `{"exit_status":0,"stdout":"…","stderr":"…","stdout_bytes":N,"stderr_bytes":N,
/// "output_bytes":N}`. A job's `filename` is its first input of the kind path, and what was
/// uploaded for it is that file. Other paths are opened beneath `root`; without a root, jobs that
/// have some fail.
[[nodiscard]] offered_type command_type(command_description description,
                                        std::shared_ptr<root_directory const> root);

} // namespace belay::http

#endif
