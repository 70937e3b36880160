// A body that waits for a descriptor and for its stop at the same time.
#include <belay/belay.hpp>

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <iostream>
#include <semaphore>
#include <string>
#include <system_error>

using namespace std::chrono_literals;

namespace {

std::counting_semaphore<> entered{0};

std::string read_some(int source, belay::job& job)
{
    entered.release();
    std::array<pollfd, 2> wanted{{{source, POLLIN, 0}, {job.stop_fd(), POLLIN, 0}}};
    do {
        job.throw_if_stopped();
        ::poll(wanted.data(), wanted.size(), -1);
    } while (wanted[0].revents == 0);
    std::array<char, 4096> buffer;
    ssize_t const size = ::read(source, buffer.data(), buffer.size());
    if (size < 0)
        throw std::system_error(errno, std::generic_category(), "read");
    return {buffer.data(), static_cast<std::size_t>(size)};
}

} // namespace

int main()
{
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0)
        return 1;
    belay::engine engine({.workers = 1});
    auto const batch = engine.submit(
        2, [source = ends[0]](std::uint64_t, belay::job& job) { return read_some(source, job); });
    if (::write(ends[1], "hello", 5) != 5 || !entered.try_acquire_for(10s) ||
        !entered.try_acquire_for(10s))
        return 1; // the second is entered when the first has ended
    batch.cancel();

    auto const status = batch.wait();
    std::cout << batch.value(0) << ", and " << status.jobs.stopped << " was stopped\n";
    ::close(ends[0]);
    ::close(ends[1]);
    return batch.value(0) == "hello" && status.jobs.stopped == 1 ? 0 : 1;
}
