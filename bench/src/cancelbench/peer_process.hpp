#ifndef BELAY_CANCELBENCH_PEER_PROCESS_HPP
#define BELAY_CANCELBENCH_PEER_PROCESS_HPP

#include "cancelbench/message.hpp"

#include "suite/child_process.hpp"

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace belay::cancelbench {

/// A peer that runs, the lines to and from it, and the directory that it has for temporary files.
///
/// Lifetime: the destructor ends its input, waits for it for 10 s or until a signal comes, then kills it and what is
/// left of its process group, and removes the directory.
class peer_process {
public:
    /// How long a peer may take for an answer.
    static constexpr std::chrono::seconds answer_max{120};

    /// Starts `command`, the program's path or name and its arguments, and reads its introduction; `is_own` says
    /// that it is part of this program. Throws std::system_error, `wrong_line`, `stopped_by_signal`.
    explicit peer_process(std::vector<std::string> command, bool is_own = false);
    ~peer_process();
    peer_process(peer_process const&) = delete;
    peer_process& operator=(peer_process const&) = delete;

    [[nodiscard]] introduction const& who() const noexcept { return who_; }
    [[nodiscard]] bool knows_script(std::string_view script) const;
    [[nodiscard]] bool knows_body(std::string_view body) const;

    [[nodiscard]] bool is_own() const noexcept { return is_own_; }

    /// The name that it has given itself.
    [[nodiscard]] std::string const& introduced_as() const noexcept { return introduced_as_; }
    /// What it is to be called from now on.
    void rename(std::string name);

    /// Notes why it could not do something, each text once.
    void complain(std::string const& text);
    [[nodiscard]] std::vector<std::string> const& complaints() const noexcept { return complaints_; }

    /// It is not to be asked any more.
    void give_up() noexcept { has_failed_ = true; }
    [[nodiscard]] bool has_failed() const noexcept { return has_failed_; }

    /// Throws `wrong_line`, with the name of the peer, and `stopped_by_signal`.
    answer ask(request const& request);

    /// Ends its input and waits as the destructor does; complains unless it ends with status 0. It can't be asked any
    /// more. Throws `stopped_by_signal`.
    void finish();

    /// Kills it, and all that it started in its process group, at once; then starts it anew.
    void kill_and_restart();

private:
    void start();
    void spawn();
    /// The status with which it ended by itself.
    std::optional<int> end(std::chrono::milliseconds patience) noexcept;
    [[nodiscard]] std::string read_line();

    std::vector<std::string> const command_;
    bool const is_own_;
    bench::scratch_directory const temporary_; ///< stays when it is killed: what it recovers may be there
    std::string introduced_as_;
    std::string name_; ///< where it was renamed
    std::vector<std::string> complaints_;
    bool has_failed_ = false;
    introduction who_;
    pid_t pid_ = -1;
    int to_ = -1;
    int from_ = -1;
    std::string read_;
};

} // namespace belay::cancelbench

#endif
