#ifndef BELAY_BENCH_EXPECT_HPP
#define BELAY_BENCH_EXPECT_HPP

#include <stdexcept>

namespace belay::bench {

/// Jobs did not come to what they had to: no figure means anything.
class wrong_result : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Throws `wrong_result` unless `holds`; `what` says what should have been.
inline void expect(bool holds, char const* what)
{
    if (!holds) [[unlikely]]
        throw wrong_result(what);
}

} // namespace belay::bench

#endif
