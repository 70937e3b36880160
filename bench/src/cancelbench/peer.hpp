#ifndef BELAY_CANCELBENCH_PEER_HPP
#define BELAY_CANCELBENCH_PEER_HPP

#include "cancelbench/message.hpp"
#include "cancelbench/notes.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace belay::cancelbench {

/// Jobs that a library was given, and that can be stopped together.
class run {
public:
    run() = default;
    run(run const&) = delete;
    run& operator=(run const&) = delete;
    virtual ~run() = default;

    /// Stops what is pending and tells what runs.
    virtual void cancel() = 0;

    /// Waits until no body runs and none will start.
    virtual void wait() = 0;

    /// What the library says after that, if it does.
    [[nodiscard]] virtual std::optional<account> told() const { return std::nullopt; }
    [[nodiscard]] virtual std::optional<std::int64_t> results() const { return std::nullopt; }

    /// When the library says that nothing started any more.
    [[nodiscard]] virtual std::optional<std::int64_t> closed() const { return std::nullopt; }
    /// When all had ended, by the library's clock.
    [[nodiscard]] virtual std::optional<std::int64_t> ended() const { return std::nullopt; }
};

/// What jobs give that give their index, where the library keeps no results.
class kept_indices {
public:
    explicit kept_indices(std::uint64_t jobs) : values_(jobs, jobs) {}

    void keep(std::uint64_t index) noexcept { values_[index] = index; }
    [[nodiscard]] std::int64_t count() const noexcept
    {
        std::int64_t found = 0;
        for (std::uint64_t index = 0; index != values_.size(); ++index)
            found += values_[index] == index ? 1 : 0;
        return found;
    }

private:
    std::vector<std::uint64_t> values_;
};

/// How many workers a run has where two runs can't share them: with `warm` the other one, of a single job, has one.
[[nodiscard]] inline std::size_t workers_apart(request const& request)
{
    if (!request.warm)
        return request.workers;
    if (request.workers < 2)
        throw wrong_line("two runs want two workers");
    return request.jobs == 1 ? 1 : request.workers - 1;
}

/// A library as it is used here. One thread calls it.
class library {
public:
    library() = default;
    library(library const&) = delete;
    library& operator=(library const&) = delete;
    virtual ~library() = default;

    [[nodiscard]] virtual introduction introduce() const = 0;

    /// Hands over `request.jobs` jobs, whose bodies note in `notes` what they do.
    virtual std::unique_ptr<run> start(request const& request, notes& notes) = 0;

    /// Runs jobs that `spin` for `request.body_ns` and give their index: says when it began and when the
    /// last had ended, and how many have given it, which is counted afterwards.
    virtual void complete(request const& request, answer& found) = 0;

    /// Runs `request.command` for each job, `{}` in it being the job's index.
    virtual std::unique_ptr<run> start_programs(request const& request)
    {
        throw wrong_line("no programs here for '" + request.script + "'");
    }

    /// As `start`, keeping what it can keep in `request.directory`.
    virtual std::unique_ptr<run> start_kept(request const& request, notes& notes)
    {
        return start(request, notes);
    }

    /// Takes up what it finds there, lets it end, and says what became of it.
    virtual answer recover(request const& request, notes& notes)
    {
        (void)request, (void)notes;
        return {};
    }
};

/// Reads requests from standard input and answers them until that ends. The result is main's.
[[nodiscard]] int speak(library& library);

} // namespace belay::cancelbench

#endif
