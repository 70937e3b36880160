// This folder: programs, from their start until nothing of them is left. Base and the files of a store come
// in; no batch.
//
// Runs programs for an engine: the thread that starts, watches, stops and reaps them.
#ifndef BELAY_BACKEND_PROCESS_HOST_HPP
#define BELAY_BACKEND_PROCESS_HOST_HPP

#include "store/files/job_logs.hpp"
#include "store/files/job_outputs.hpp"

#include <belay/detail/asynchronous.hpp>
#include <belay/process.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace belay::detail {

class problem_board;

/// How a program came to its end.
struct program_end {
    bool started = false;            ///< it ran at all
    bool was_terminated = false;     ///< SIGTERM was sent before it ended
    bool was_killed = false;         ///< SIGKILL likewise
    std::exception_ptr problem = {}; ///< why it could not be run, or its output not be kept
    process_end what = {};
};

/// A program to run for a job.
struct program_setup {
    belay::command command;
    std::filesystem::path scratch;
    std::string marker;                    ///< what BELAY_JOB is to be
    output_name output;                    ///< what its output and its logs are kept as
    std::function<bool()> is_overdue = {}; ///< whether keeping that is to be given up
    std::function<void(double fraction)> progress;
    /// Called on a thread of the host's that others wait for, when nothing of the program is left,
    /// and its output is on disk; once, and again after a while if it throws.
    std::function<void(std::shared_ptr<program_end> const& end)> done;
};

/// Thread safety: full. Lifetime: it outlives the programs it was given.
class process_host {
public:
    struct setup {
        std::string store; ///< first part of the markers
        /// Of scratch directories and outputs; empty for one of its own, which goes with it.
        std::filesystem::path directory = {};
        bool is_subreaper = false;      ///< orphans come to this process, and may be reaped
        bool use_cgroups = true;        ///< where they are to be had
        bool use_new_calls = true;      ///< what came with Linux 6.9 and 6.15, where it is there
        problem_board* board = nullptr; ///< what goes wrong is told there
        /// Cgroups that nothing is in, kept for the next programs; how many, and how long.
        std::size_t idle_cgroups_max = 16;
        std::chrono::milliseconds idle_cgroup_time_max{10'000};
    };
    explicit process_host(setup setup);
    ~process_host();
    process_host(process_host const&) = delete;
    process_host& operator=(process_host const&) = delete;

    /// Ends what an earlier process left running, and removes its scratch directories; how many
    /// processes that were. Before anything is run. Throws `error` (`store_failed`) if something is
    /// left that can't be ended.
    std::uint64_t recover();

    /// Ends its threads. Programs that still run are killed, and told of as they are.
    void stop();

    [[nodiscard]] std::string const& store() const noexcept;
    /// Null as long as there is no directory for them.
    [[nodiscard]] job_outputs* outputs() noexcept;
    /// Throws std::system_error.
    [[nodiscard]] output_draft make_output();
    /// The directory, which is made if there is none. Throws std::system_error.
    [[nodiscard]] job_outputs& made_outputs();

    /// Something went wrong once: on the notice board, if there is one.
    void tell(std::string_view kind, std::string message) noexcept;

    /// Removes an upload that nobody wants, on a thread of its own: a large file takes a while.
    void drop(upload_draft draft);

    /// Null likewise.
    [[nodiscard]] job_logs* logs() noexcept;
    /// Of an attempt that is over.
    void remove_logs(output_name const& name) noexcept;

    /// Removes the outputs and logs of a batch, and what was uploaded for it, later.
    void forget_outputs(std::uint64_t sequence);

    /// How many of `wanted` programs may run side by side; the notice board says so where that is
    /// fewer. The others wait.
    [[nodiscard]] std::size_t at_most(std::size_t wanted) const noexcept;

    /// Has `action`, which calls code of the caller's, called on a thread that nobody else waits
    /// for.
    void call(std::function<void()> action);

    /// A fresh directory. Throws std::system_error.
    [[nodiscard]] std::filesystem::path make_scratch();
    /// Makes it as it was when it was made. Throws std::system_error.
    void empty_scratch(std::filesystem::path const& directory);
    /// Removes one, later, on a thread of its own.
    void remove_scratch(std::filesystem::path directory);

    /// A program that has not been started yet. Its scratch directory goes when it has ended.
    /// Started, it waits until it can be run: for descriptors and the like, and for other programs
    /// to end.
    class program : public asynchronous_body {
    public:
        virtual void start() = 0; ///< once
    };
    [[nodiscard]] std::shared_ptr<program> make(program_setup setup);

    class impl;

private:
    std::unique_ptr<impl> impl_;
};

} // namespace belay::detail

#endif
