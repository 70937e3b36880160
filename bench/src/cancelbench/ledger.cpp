#include "cancelbench/ledger.hpp"

#include "cancelbench/message.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace belay::cancelbench {

namespace {

[[noreturn]] void fail(std::filesystem::path const& file)
{
    throw std::system_error(errno, std::generic_category(), file.string());
}

} // namespace

ledger ledger::make(std::filesystem::path const& file, std::uint64_t jobs)
{
    std::filesystem::remove(file); // an earlier one may still be mapped
    int const made = ::open(file.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (made < 0)
        fail(file);
    // With its blocks: to write into a mapped file on a full disk would end the process.
    int const failed = ::posix_fallocate(made, 0, static_cast<off_t>(jobs * sizeof(job)));
    ::close(made);
    if (failed != 0)
        throw std::system_error(failed, std::generic_category(), "can't make " + file.string());
    return map(file, jobs * sizeof(job));
}

ledger ledger::open(std::filesystem::path const& file)
{
    auto const bytes = std::filesystem::file_size(file);
    if (bytes == 0 || bytes % sizeof(job) != 0)
        throw wrong_line("the ledger " + file.string() + " has " + std::to_string(bytes) +
                         " bytes; it should have 16 a job");
    return map(file, bytes);
}

ledger ledger::map(std::filesystem::path const& file, std::uint64_t bytes)
{
    int const opened = ::open(file.c_str(), O_RDWR | O_CLOEXEC);
    if (opened < 0)
        fail(file);
    void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, opened, 0);
    ::close(opened);
    if (memory == MAP_FAILED)
        fail(file);
    return ledger({static_cast<job*>(memory), bytes / sizeof(job)});
}

ledger::ledger(ledger&& other) noexcept : jobs_(std::exchange(other.jobs_, {})) {}

ledger::~ledger()
{
    if (!jobs_.empty())
        ::munmap(jobs_.data(), jobs_.size_bytes());
}

} // namespace belay::cancelbench
