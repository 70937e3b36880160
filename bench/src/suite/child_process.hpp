#ifndef BELAY_BENCH_CHILD_PROCESS_HPP
#define BELAY_BENCH_CHILD_PROCESS_HPP

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace belay::bench {

/// A program that runs beside this one, its output in a file.
///
/// Lifetime: the destructor sends SIGTERM, after 10 s SIGKILL, and waits for its end. When the thread ends that has
/// started it, it is sent SIGTERM, too.
class child_process {
public:
    /// `command` is the program's path and its arguments. Throws std::system_error.
    child_process(std::vector<std::string> command, std::filesystem::path const& output);
    ~child_process();
    child_process(child_process const&) = delete;
    child_process& operator=(child_process const&) = delete;

    [[nodiscard]] bool runs();

private:
    pid_t pid_ = -1; ///< -1 once it was waited for
};

/// A directory that is gone with this object.
class scratch_directory {
public:
    scratch_directory();
    ~scratch_directory();
    scratch_directory(scratch_directory const&) = delete;
    scratch_directory& operator=(scratch_directory const&) = delete;

    [[nodiscard]] std::filesystem::path const& path() const noexcept { return path_; }

private:
    std::filesystem::path path_;
};

/// The whole of a file; empty where there is none.
[[nodiscard]] std::string file_content(std::filesystem::path const& file);

} // namespace belay::bench

#endif
