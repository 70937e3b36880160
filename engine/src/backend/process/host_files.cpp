// What a host does with files, and the thread that waits for the disk.
#include "backend/process/host_impl.hpp"

#include <belay/detail/shortage.hpp>

#include <boost/asio/post.hpp>

#include <cerrno>
#include <exception>
#include <new>
#include <system_error>
#include <utility>

#include <stdlib.h>

namespace belay::detail {

/// Also what a program has made unreadable. Gives what kept something from going.
std::error_code remove_tree(std::filesystem::path const& path)
{
    std::error_code problem;
    std::filesystem::remove_all(path, problem);
    if (!problem || is_shortage(problem))
        return problem;
    using std::filesystem::perms;
    std::filesystem::permissions(path, perms::owner_all, problem);
    for (std::filesystem::recursive_directory_iterator next(path, problem), end;
         !problem && next != end; next.increment(problem)) {
        std::error_code ignored;
        if (next->is_directory(ignored) && !next->is_symlink(ignored))
            std::filesystem::permissions(next->path(), perms::owner_all, ignored);
    }
    std::filesystem::remove_all(path, problem);
    return problem;
}

std::filesystem::path const& process_host::impl::directory()
{
    std::scoped_lock const lock(mutex_);
    if (!directory_.empty())
        return directory_;
    std::string made = std::filesystem::temp_directory_path() / "belay-XXXXXX";
    if (::mkdtemp(made.data()) == nullptr)
        throw std::system_error(errno, std::system_category(), made + " can't be made");
    is_own_directory_ = true;
    use_directory(made);
    directory_ = made;
    return directory_;
}

void process_host::impl::use_directory(std::filesystem::path const& path)
{
    outputs.emplace(path / "outputs");
    logs = std::make_shared<job_logs>(path / "logs");
}

job_outputs* process_host::impl::known_outputs()
{
    std::scoped_lock const lock(mutex_);
    return outputs ? &*outputs : nullptr;
}

job_logs* process_host::impl::known_logs()
{
    std::scoped_lock const lock(mutex_);
    return logs.get();
}

std::filesystem::path process_host::impl::make_scratch()
{
    auto const parent = directory() / "scratch";
    auto path = parent / std::to_string(++next_scratch_);
    if (::mkdir(path.c_str(), 0700) == 0)
        return path;
    if (errno == ENOENT && (::mkdir(parent.c_str(), 0700) == 0 || errno == EEXIST) &&
        ::mkdir(path.c_str(), 0700) == 0)
        return path;
    throw std::system_error(errno, std::system_category(), path.string() + " can't be made");
}

void process_host::empty_scratch(std::filesystem::path const& directory)
{
    auto problem = remove_tree(directory);
    if (!problem && ::mkdir(directory.c_str(), 0700) != 0)
        problem = {errno, std::system_category()};
    if (problem)
        throw std::system_error(problem, directory.string() + " can't be emptied");
}

void process_host::impl::remove_scratch(std::filesystem::path directory)
{
    on_files([this, directory = std::move(directory)] { try_to_remove(directory); });
}

void process_host::impl::try_to_remove(std::filesystem::path const& directory)
{
    if (is_shortage(remove_tree(directory)))
        on_files_later([this, directory] { try_to_remove(directory); });
}

void process_host::impl::try_to_forget(std::uint64_t sequence)
{
    bool const again = is_shortage(known_outputs()->forget(sequence));
    if (is_shortage(known_logs()->forget(sequence)) || again)
        on_files_later([this, sequence] { try_to_forget(sequence); });
}

void process_host::impl::on_files(std::function<void()> action)
{
    start_files_thread(); // first: what throws here has done nothing yet
    boost::asio::post(files_, std::move(action));
}

void process_host::impl::make_files_thread()
{
    if (files_thread_.joinable() || files_stopped_)
        return;
    if (!files_work_) // to replace it would stop the context, which has no other work
        files_work_.emplace(files_.get_executor());
    files_thread_ = std::thread([this] { run_files(); });
}

void process_host::impl::start_files_thread()
{
    std::scoped_lock const lock(mutex_);
    try {
        make_files_thread();
    } catch (std::system_error const&) {
        // There is no thread to be had at the moment.
        auto const timer = std::make_shared<boost::asio::steady_timer>(context, shortage_pause);
        timer->async_wait([this, timer](boost::system::error_code) { start_files_thread(); });
    }
}

void process_host::impl::on_files_later(std::function<void()> action)
{
    {
        std::scoped_lock const lock(mutex_);
        if (files_stopped_)
            return;
        later_.push_back(std::move(action));
        if (later_.size() != 1)
            return;
    }
    try {
        auto const timer = std::make_shared<boost::asio::steady_timer>(context, shortage_pause);
        timer->async_wait([this, timer](boost::system::error_code) { put_in_later(); });
        run();
    } catch (std::bad_alloc const&) {
        look_again();
    } catch (std::system_error const&) {
        // No thread is to be had: it comes with the next program, or at the end.
    }
}

void process_host::impl::put_in_later()
{
    std::scoped_lock const lock(mutex_);
    while (!later_.empty()) {
        boost::asio::post(files_, later_.back());
        later_.pop_back();
    }
}

job_outputs* process_host::outputs() noexcept
{
    return impl_->known_outputs();
}

job_logs* process_host::logs() noexcept
{
    return impl_->known_logs();
}

void process_host::remove_logs(output_name const& name) noexcept
{
    if (auto const* const there = logs())
        there->remove(name);
}

void process_host::forget_outputs(std::uint64_t sequence)
{
    if (outputs() != nullptr)
        impl_->on_files([host = impl_.get(), sequence] { host->try_to_forget(sequence); });
}

} // namespace belay::detail
