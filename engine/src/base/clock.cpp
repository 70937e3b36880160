#include <belay/clock.hpp>

namespace belay {

namespace {

class steady_clock_with_offset final : public clock {
public:
    time_point now() const noexcept override
    {
        return time_point(std::chrono::steady_clock::now().time_since_epoch() + offset_);
    }

    void wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& condition,
                    time_point until) override
    {
        condition.wait_until(
            lock, std::chrono::steady_clock::time_point(until.time_since_epoch() - offset_));
    }

private:
    std::chrono::nanoseconds const offset_ =
        std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now())
            .time_since_epoch() -
        std::chrono::steady_clock::now().time_since_epoch();
};

} // namespace

clock& system_clock()
{
    static steady_clock_with_offset instance;
    return instance;
}

} // namespace belay
