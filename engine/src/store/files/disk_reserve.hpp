// Room kept back on the disk.
#ifndef BELAY_STORE_FILES_DISK_RESERVE_HPP
#define BELAY_STORE_FILES_DISK_RESERVE_HPP

#include <cstdint>
#include <filesystem>
#include <optional>

namespace belay {

/// What the disk has left on which `path` lies, where that is known.
[[nodiscard]] std::optional<std::uint64_t> free_bytes(std::filesystem::path const& path) noexcept;

/// Enough of it for the log of a store, its index, and what else is made at a start.
inline constexpr std::uint64_t start_bytes = 512 * 1024;

/// A file with blocks but without content. It is given up bit by bit: what is given up at once is
/// anybody's. Thread safety: none.
class disk_reserve {
public:
    /// With what an earlier process has left of it; nothing is taken yet.
    disk_reserve(std::filesystem::path path, std::uint64_t bytes);

    /// Gives some of the room to others; false if none is left.
    [[nodiscard]] bool give_up_some() noexcept;

    /// Gives up what it takes for `bytes` to be free on the disk, as far as there is as much.
    void make_room(std::uint64_t bytes) noexcept;

    /// Takes what is missing again if there is twice as much.
    void restore() noexcept;

    /// Whether some of it was given up, and has not been taken again.
    [[nodiscard]] bool is_given_up() const noexcept { return given_up_; }

    [[nodiscard]] std::filesystem::path const& path() const noexcept { return path_; }
    /// How large it is to be.
    [[nodiscard]] std::uint64_t size() const noexcept { return bytes_; }
    /// How much of it there is.
    [[nodiscard]] std::uint64_t left() const noexcept { return left_; }
    /// Whether at least half of it is there.
    [[nodiscard]] bool has_half() const noexcept { return left_ != 0 && left_ >= bytes_ / 2; }

private:
    [[nodiscard]] bool has_room(std::uint64_t bytes) const noexcept;

    std::filesystem::path path_;
    std::uint64_t bytes_;
    std::uint64_t left_ = 0;
    bool is_whole_ = false; ///< since it was looked at last
    bool given_up_ = false;
};

} // namespace belay

#endif
