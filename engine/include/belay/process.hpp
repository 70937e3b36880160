// Programs as jobs: what is run, and what is known of it afterwards.
#ifndef BELAY_PROCESS_HPP
#define BELAY_PROCESS_HPP

#include <belay/job_file.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace belay {

/// What a program writes on.
enum class job_stream : std::uint8_t { standard_output, standard_error };

/// A program to run, without a shell.
///
/// It leads a session and process group of its own, inherits no descriptors and no signal settings,
/// and gets SIGKILL if the engine's process ends. A line `BELAY_PROGRESS 0.42` on its standard output
/// or error reports its progress.
struct command {
    /// The program, and what it is given. A program without a slash is looked for in the PATH of
    /// `environment`, or else in the engine's own.
    std::vector<std::string> arguments = {};

    /// `NAME=value` each: all that it gets but BELAY_JOB and, where the origin of its batch has
    /// one, TRACEPARENT, which are added, and HOME and TMPDIR, which are the scratch directory
    /// unless they are given.
    std::vector<std::string> environment = {};

    /// Where it runs; the scratch directory unless set.
    std::filesystem::path directory = {};

    /// Its standard input: nothing, these bytes, or this file.
    std::variant<std::monostate, std::string, std::filesystem::path> standard_input = {};

    /// The file that it leaves its output in, relative to the scratch directory; a job that ends
    /// well without it fails. Unless set, its standard output is the output.
    std::filesystem::path output = {};

    /// The most bytes that the output may have; a job with a longer one fails.
    std::uint64_t output_bytes_max = std::uint64_t{1} << 30;

    /// How much of the standard output, from its begin, and of the standard error, up to its end, is
    /// kept in `process_end`.
    std::size_t captured_bytes_max = 16 * 1024;

    /// How much of its standard output and of its standard error, from the begin of each, is kept
    /// as a log, which can be read while it runs: `recorded_batch::open_log`. 0 for none. A
    /// standard output that is the job's output is there as a whole once that is kept.
    std::uint64_t log_bytes_max = std::uint64_t{1} << 20;

    /// Status 0 after SIGTERM means that it has finished its work: the job has succeeded (late).
    bool exit_0_after_stop = false;

    /// Added to its niceness, 0 … 19.
    int nice = 0;
};

/// What a program used, its descendants that it had waited for included. Where something else in
/// this process has waited for it, not all of it is known, and what it used is 0.
struct process_usage {
    std::optional<int> exit_status; ///< 0 … 255; nothing if a signal ended it, or it is not known
    std::optional<int> signal;      ///< that ended it; likewise
    std::chrono::microseconds user_time{};
    std::chrono::microseconds system_time{};
    std::uint64_t memory_peak_bytes = 0; ///< resident, of the largest of them
    std::uint64_t read_bytes = 0;        ///< from disks
    std::uint64_t written_bytes = 0;     ///< to disks
    bool operator==(process_usage const&) const = default;
};

/// What is left of a program that has ended.
struct process_end {
    process_usage usage;
    std::string standard_output;                ///< its first bytes
    std::string standard_error;                 ///< its last bytes
    std::uint64_t standard_output_bytes = 0;    ///< all that was written
    std::uint64_t standard_error_bytes = 0;     ///< likewise
    std::optional<std::uint64_t> output_bytes = {}; ///< size of the job's output, if it has one
};

/// The job that a program is run for.
struct process_job {
    std::uint64_t index;
    unsigned attempt;              ///< from 1
    std::filesystem::path scratch; ///< a fresh directory of its own, which is removed afterwards
    std::stop_token stop = {};     ///< told when the job is; for as long as its command is made

    /// The file that was uploaded for the job; gives nothing if its batch has none. For as long as
    /// its command is made. Throws `error` (`store_failed`; `resources_exhausted`, with which the
    /// command is asked for again).
    std::function<std::optional<job_file>()> input_file = {};
};

/// How the jobs of a type run a program each.
struct process_type {
    /// Says which, for an input; may put files into the scratch directory. What it throws fails the
    /// job, save a std::system_error that says that something has run out (EMFILE, ENFILE, ENOMEM,
    /// EAGAIN): then it is called again after a while, with its scratch directory empty again. What
    /// takes long should look at `job.stop`, and may throw `stopped` then: no program is started
    /// for a job that was told to stop. Called on several threads at once.
    std::function<belay::command(std::string_view input, process_job const& job)> command;

    /// What the job returns, if its program ended well; unless set, the begin of its standard
    /// output. What it throws fails the job. Called on up to 16 threads at once, none of them a
    /// worker.
    std::function<std::string(process_end const& end)> result = {};
};

} // namespace belay

#endif
