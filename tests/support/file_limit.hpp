// A process whose files may not grow.
#ifndef BELAY_TESTS_SUPPORT_FILE_LIMIT_HPP
#define BELAY_TESTS_SUPPORT_FILE_LIMIT_HPP

#include <boost/test/unit_test.hpp>

#include <csignal>

#include <sys/resource.h>

namespace belay::test {

/// As long as it lives no file is written beyond so many bytes; a test's own output neither, so
/// that checks belong behind it.
class file_limit {
public:
    explicit file_limit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN))
    {
        BOOST_REQUIRE(::getrlimit(RLIMIT_FSIZE, &before_) == 0);
        rlimit const lowered{bytes, before_.rlim_max};
        BOOST_REQUIRE(::setrlimit(RLIMIT_FSIZE, &lowered) == 0);
    }
    ~file_limit()
    {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, handler_);
    }
    file_limit(file_limit const&) = delete;
    file_limit& operator=(file_limit const&) = delete;

private:
    void (*handler_)(int);
    rlimit before_{};
};

} // namespace belay::test

#endif
