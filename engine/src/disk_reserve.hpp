// Room kept back on the disk.
#ifndef BELAY_SRC_DISK_RESERVE_HPP
#define BELAY_SRC_DISK_RESERVE_HPP

#include <cstdint>
#include <filesystem>

namespace belay {

/// A file with blocks but without content. Thread safety: none.
class disk_reserve {
public:
    /// Takes the room if there is twice as much; if not, there is no reserve for now.
    disk_reserve(std::filesystem::path path, std::uint64_t bytes);

    /// Gives the room to others.
    void give_up() noexcept;

    /// Takes it again if there is twice as much.
    void restore() noexcept;

    /// Whether it has been given up, and there is less than twice as much.
    [[nodiscard]] bool is_short() const noexcept { return was_given_up_ && !has_room(); }

private:
    [[nodiscard]] bool has_room() const noexcept;

    std::filesystem::path path_;
    std::uint64_t bytes_;
    bool is_there_ = false;
    bool was_given_up_ = false;
};

} // namespace belay

#endif
