#include <belay/detail/work.hpp>
#include <belay/error.hpp>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <mutex>
#include <system_error>
#include <unordered_map>
#include <utility>

namespace belay::detail {

struct failures::table {
    std::mutex mutex;
    std::unordered_map<std::uint64_t, std::exception_ptr> exceptions; // guarded by mutex
};

bool blames_input(std::exception_ptr const& exception) noexcept
{
    try {
        if (exception)
            std::rethrow_exception(exception);
    } catch (job_failure const& thrown) {
        return thrown.code() == failure::input;
    } catch (...) {
    }
    return false;
}

bool is_stop(std::exception_ptr const& exception) noexcept
{
    try {
        std::rethrow_exception(exception);
    } catch (stopped const&) {
        return true;
    } catch (std::system_error const& thrown) {
        return thrown.code() == std::errc::operation_canceled;
    } catch (boost::system::system_error const& thrown) {
        return thrown.code() == boost::asio::error::operation_aborted;
    } catch (...) {
        return false;
    }
}

failures::failures() : table_(std::make_unique<table>()) {}
failures::~failures() = default;

void failures::put(std::uint64_t index, std::exception_ptr exception)
{
    std::scoped_lock const lock(table_->mutex);
    table_->exceptions[index] = std::move(exception);
}

std::exception_ptr failures::get(std::uint64_t index) const
{
    std::scoped_lock const lock(table_->mutex);
    auto const found = table_->exceptions.find(index);
    return found == table_->exceptions.end() ? nullptr : found->second;
}

} // namespace belay::detail
