#ifndef BELAY_TESTS_SCRIPTED_WORK_HPP
#define BELAY_TESTS_SCRIPTED_WORK_HPP

#include <belay/detail/work.hpp>

#include <cstdint>
#include <exception>
#include <functional>
#include <utility>

namespace belay::test {

/// Work that does, step by step, what a test says.
class scripted_work final : public detail::work {
public:
    using script = std::function<void(detail::turn&, std::uint64_t begin, std::uint64_t end)>;
    explicit scripted_work(script script) : script_(std::move(script)) {}
    void run(detail::turn& turn, std::uint64_t begin, std::uint64_t end) noexcept override
    {
        script_(turn, begin, end);
    }
    void fail(std::uint64_t, std::exception_ptr) noexcept override {}

private:
    script script_;
};

} // namespace belay::test

#endif
