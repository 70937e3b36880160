#include "suite/machine.hpp"

#include <boost/version.hpp>

#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace belay::bench {

namespace {

cpu_set_t allowed_processors()
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        throw std::system_error(errno, std::generic_category(), "sched_getaffinity");
    return set;
}

std::string processor_model()
{
    std::ifstream in("/proc/cpuinfo");
    for (std::string line; std::getline(in, line);)
        if (line.starts_with("model name"))
            if (auto const colon = line.find(": "); colon != std::string::npos)
                return line.substr(colon + 2);
    return "unknown processor";
}

std::string load()
{
    std::array<double, 1> average{};
    if (getloadavg(average.data(), 1) != 1)
        return "unknown";
    char text[16];
    std::snprintf(text, sizeof text, "%.2f", average[0]);
    return text;
}

} // namespace

void keep_to_few_processors()
{
    cpu_set_t const allowed = allowed_processors();
    cpu_set_t kept;
    CPU_ZERO(&kept);
    for (std::size_t i = 0; i != CPU_SETSIZE; ++i)
        if (CPU_ISSET(i, &allowed) && CPU_COUNT(&kept) < static_cast<int>(workers))
            CPU_SET(i, &kept);
    if (sched_setaffinity(0, sizeof kept, &kept) != 0)
        throw std::system_error(errno, std::generic_category(), "sched_setaffinity");
}

std::string machine_description()
{
    cpu_set_t const used = allowed_processors();
    utsname system{};
    uname(&system);
    return processor_model() + ", " + std::to_string(CPU_COUNT(&used)) + " of " +
           std::to_string(std::thread::hardware_concurrency()) + " processors; load " + load() +
           "; " + system.sysname + " " + system.release + "; compiler " + __VERSION__ + "; Boost " +
           std::to_string(BOOST_VERSION / 100000) + "." +
           std::to_string(BOOST_VERSION / 100 % 1000);
}

std::uint64_t resident_bytes()
{
    std::ifstream in("/proc/self/statm");
    std::uint64_t size = 0;
    std::uint64_t resident = 0;
    if (!(in >> size >> resident))
        throw std::runtime_error("can't read /proc/self/statm");
    return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

} // namespace belay::bench
