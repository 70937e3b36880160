// A system on which a call fails.
#ifndef BELAY_TESTS_SUPPORT_FAILING_CALL_HPP
#define BELAY_TESTS_SUPPORT_FAILING_CALL_HPP

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <iterator>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace belay::test {

/// From here on a system call (SYS_…) of this thread, and of those that it makes, fails with
/// `error`. Whether that could be had.
inline bool let_fail(unsigned call, int error)
{
    sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    sock_fprog const program{std::size(filter), filter};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/// Lets `body` run in a child process in which a system call (SYS_…) fails with `error`, for good;
/// its exit status.
template <class Body>
int with_failing_call(unsigned call, int error, Body body)
{
    auto const child = ::fork();
    if (child == 0)
        ::_exit(let_fail(call, error) ? body() : 99);
    int status = 0;
    BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

} // namespace belay::test

#endif
