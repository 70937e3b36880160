// This folder: files, time, failures and problems, which the rest is made of. Nothing of belay comes in but
// its public headers.
//
// A file by its descriptor, and the errors that go with it.
#ifndef BELAY_BASE_FILE_HPP
#define BELAY_BASE_FILE_HPP

#include <belay/error.hpp>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace belay {

/// Closes it.
class file {
public:
    file() = default;
    /// Takes over a descriptor; -1 is none.
    explicit file(int descriptor) noexcept : descriptor_(descriptor) {}
    /// Mode 0600 if it makes one. On failure it is not open, and errno says why.
    file(std::filesystem::path const& path, int flags)
        : descriptor_(::open(path.c_str(), flags | O_CLOEXEC, 0600))
    {
    }
    file(file&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    file& operator=(file&& other) noexcept
    {
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }
    ~file()
    {
        if (descriptor_ >= 0)
            ::close(descriptor_);
    }

    /// Hands the descriptor over.
    [[nodiscard]] int release() noexcept { return std::exchange(descriptor_, -1); }

    [[nodiscard]] bool is_open() const noexcept { return descriptor_ >= 0; }
    [[nodiscard]] int get() const noexcept { return descriptor_; }

    /// 0 if that can't be found out.
    [[nodiscard]] std::uint64_t size() const noexcept
    {
        struct stat about {};
        return ::fstat(descriptor_, &about) == 0 ? static_cast<std::uint64_t>(about.st_size) : 0;
    }

    /// Whether all of the bytes could be read.
    [[nodiscard]] bool read(std::uint64_t offset, void* to, std::size_t bytes) const noexcept
    {
        auto* place = static_cast<char*>(to);
        while (bytes != 0) {
            ssize_t const got = ::pread(descriptor_, place, bytes, static_cast<off_t>(offset));
            if (got < 0 && errno == EINTR)
                continue;
            if (got <= 0)
                return false;
            place += got;
            offset += static_cast<std::uint64_t>(got);
            bytes -= static_cast<std::size_t>(got);
        }
        return true;
    }

    /// Appends all of the bytes, from where the last call ended; how many could not be, for the
    /// reason in errno.
    [[nodiscard]] std::size_t write(std::string_view bytes) const noexcept
    {
        while (!bytes.empty()) {
            ssize_t const written = ::write(descriptor_, bytes.data(), bytes.size());
            if (written < 0 && errno == EINTR)
                continue;
            if (written < 0)
                break;
            bytes.remove_prefix(static_cast<std::size_t>(written));
        }
        return bytes.size();
    }

private:
    int descriptor_ = -1;
};

/// What is in a file, one of /proc among them, up to a little more than `most` bytes; nothing if it
/// can't be opened. A stream's descriptor would be inherited by programs.
[[nodiscard]] inline std::optional<std::string> read_file(std::filesystem::path const& path,
                                                          std::size_t most = std::string::npos)
{
    file const source(path, O_RDONLY);
    if (!source.is_open())
        return std::nullopt;
    std::string text;
    std::array<char, 4096> buffer;
    while (text.size() < most) {
        ssize_t const got = ::read(source.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        text.append(buffer.data(), static_cast<std::size_t>(got));
    }
    return text;
}

/// `error` with "PATH WHAT: the reason that `number` stands for".
[[nodiscard]] inline error file_error(errc code, std::filesystem::path const& path,
                                      std::string_view what, int number)
{
    return error(code, path.string() + " " + std::string(what) + ": " +
                           std::system_category().message(number));
}

} // namespace belay

#endif
