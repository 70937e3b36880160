#define BOOST_TEST_MODULE belay
#include <boost/test/unit_test.hpp>

extern "C" const char* __tsan_default_options()
{
    return "halt_on_error=1:second_deadlock_stack=1";
}

// An executor's last reference is let go with a fence, which ThreadSanitizer does not model.
extern "C" const char* __tsan_default_suppressions()
{
    return "race:boost::asio::execution::detail::any_executor_base::destroy_shared\n";
}

extern "C" const char* __ubsan_default_options()
{
    return "print_stacktrace=1";
}
