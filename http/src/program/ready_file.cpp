#include "ready_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <cerrno>
#include <system_error>
#include <utility>

namespace belay::program {

namespace {

[[noreturn]] void fail(std::filesystem::path const& path)
{
    throw std::system_error(errno, std::system_category(), path.string());
}

} // namespace

ready_file::ready_file(std::filesystem::path path) : path_(std::move(path))
{
    if (unlink(path_.c_str()) != 0 && errno != ENOENT)
        fail(path_);
}

ready_file::~ready_file() { unlink(path_.c_str()); }

void ready_file::write(std::string_view url, std::string_view api_key)
{
    std::string const text = boost::json::serialize(boost::json::object{
                                 {"url", url}, {"api_key", api_key}, {"pid", getpid()}}) +
                             '\n';
    std::filesystem::path const draft = path_.string() + "." + std::to_string(getpid());
    int const file = open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        fail(draft);
    bool const written = ::write(file, text.data(), text.size()) ==
                         static_cast<ssize_t>(text.size());
    bool const closed = close(file) == 0;
    if (!written || !closed || rename(draft.c_str(), path_.c_str()) != 0) {
        int const cause = errno;
        unlink(draft.c_str());
        errno = cause;
        fail(path_);
    }
}

} // namespace belay::program
