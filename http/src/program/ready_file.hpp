#ifndef BELAY_HTTP_PROGRAM_READY_FILE_HPP
#define BELAY_HTTP_PROGRAM_READY_FILE_HPP

#include <filesystem>
#include <string>
#include <string_view>

namespace belay::program {

/// The file that tells a script where the server is: `{"url":…,"api_key":…,"pid":…}`, mode 0600,
/// there whole or not at all. A server holds a lock on its own, so that another one can tell it
/// from a stale one. Removed when this object ends, unless another server has put its own there.
class ready_file {
public:
    /// Removes a stale one. Throws std::system_error naming the file.
    explicit ready_file(std::filesystem::path path);
    ~ready_file();
    ready_file(ready_file const&) = delete;
    ready_file& operator=(ready_file const&) = delete;

    /// In place of any that is there. Throws std::system_error naming the file.
    void write(std::string_view url, std::string_view api_key);

private:
    [[nodiscard]] bool is_own() const noexcept;

    std::filesystem::path path_;
    int file_ = -1; ///< what was written
};

} // namespace belay::program

#endif
