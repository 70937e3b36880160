#ifndef BELAY_CANCELBENCH_PEER_PROCESS_HPP
#define BELAY_CANCELBENCH_PEER_PROCESS_HPP

#include "cancelbench/message.hpp"

#include <sys/types.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace belay::cancelbench {

/// A peer that runs, and the lines to and from it.
///
/// Lifetime: the destructor ends its input, waits for it for 10 s, then kills it.
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

    /// Kills it, and all that it started in its process group, at once; then starts it anew.
    void kill_and_restart();

private:
    void start();
    void spawn();
    void end(std::chrono::milliseconds patience) noexcept;
    [[nodiscard]] std::string read_line();

    std::vector<std::string> const command_;
    bool const is_own_;
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
