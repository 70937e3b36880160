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

    /// Starts `command`, the program's path or name and its arguments, and reads its introduction. Throws
    /// std::system_error, `wrong_line`.
    explicit peer_process(std::vector<std::string> command);
    ~peer_process();
    peer_process(peer_process const&) = delete;
    peer_process& operator=(peer_process const&) = delete;

    [[nodiscard]] introduction const& who() const noexcept { return who_; }
    [[nodiscard]] bool knows_script(std::string_view script) const;
    [[nodiscard]] bool knows_body(std::string_view body) const;

    /// Throws `wrong_line`, with the name of the peer.
    answer ask(request const& request);

    /// Kills it, and all that it started in its process group, at once; then starts it anew.
    void kill_and_restart();

private:
    void start();
    void spawn();
    void end(std::chrono::milliseconds patience) noexcept;
    [[nodiscard]] std::string read_line();

    std::vector<std::string> const command_;
    introduction who_;
    pid_t pid_ = -1;
    int to_ = -1;
    int from_ = -1;
    std::string read_;
};

} // namespace belay::cancelbench

#endif
