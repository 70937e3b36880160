#ifndef BELAY_HTTP_SRC_PROGRAM_READY_FILE_HPP
#define BELAY_HTTP_SRC_PROGRAM_READY_FILE_HPP

#include <filesystem>
#include <string>
#include <string_view>

namespace belay::program {

/// The file that tells a script where the server is: `{"url":…,"api_key":…,"pid":…}`, mode 0600,
/// there whole or not at all. Removed when this object ends.
class ready_file {
public:
    /// Removes a stale one. Throws std::system_error naming the file.
    explicit ready_file(std::filesystem::path path);
    ~ready_file();
    ready_file(ready_file const&) = delete;
    ready_file& operator=(ready_file const&) = delete;

    /// Throws std::system_error naming the file.
    void write(std::string_view url, std::string_view api_key);

private:
    std::filesystem::path path_;
};

} // namespace belay::program

#endif
