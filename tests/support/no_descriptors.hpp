// A process that has no descriptor left.
#ifndef BELAY_TESTS_SUPPORT_NO_DESCRIPTORS_HPP
#define BELAY_TESTS_SUPPORT_NO_DESCRIPTORS_HPP

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace belay::test {

/// Lowers the limit on descriptors as long as it lives.
class descriptor_limit {
public:
    explicit descriptor_limit(rlim_t most)
    {
        BOOST_REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
        rlimit const lowered{most, before_.rlim_max};
        BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &lowered) == 0);
    }
    ~descriptor_limit() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    descriptor_limit(descriptor_limit const&) = delete;
    descriptor_limit& operator=(descriptor_limit const&) = delete;

private:
    rlimit before_{};
};

/// Takes all descriptors that there are, but for some, as long as it lives.
class no_descriptors {
public:
    explicit no_descriptors(std::size_t left = 0)
    {
        int taken = 0;
        while ((taken = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
            taken_.push_back(taken);
        for (; left != 0; --left, taken_.pop_back())
            ::close(taken_.back());
    }
    ~no_descriptors()
    {
        for (int const taken : taken_)
            ::close(taken);
    }
    no_descriptors(no_descriptors const&) = delete;
    no_descriptors& operator=(no_descriptors const&) = delete;

private:
    descriptor_limit limit_{256};
    std::vector<int> taken_;
};

} // namespace belay::test

#endif
