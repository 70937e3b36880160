#include "batch/core.hpp"

#include <belay/detail/work.hpp>
#include <belay/error.hpp>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <mutex>
#include <system_error>
#include <unordered_map>
#include <utility>

namespace belay::detail {

namespace {

/// Of the message of a failure more is not kept: a batch holds a thousand of them.
constexpr std::size_t message_bytes_max = 64 * 1024;

/// Cuts a text to its first bytes, between two characters if it is UTF-8.
void cut(std::string& text, std::size_t bytes_max)
{
    if (text.size() <= bytes_max)
        return;
    std::size_t end = bytes_max;
    while (end > bytes_max - 3 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
        --end;
    text.resize(end);
    text.shrink_to_fit();
}

void describe(job_record& record, std::exception_ptr const& exception)
{
    try {
        std::rethrow_exception(exception);
    } catch (job_failure const& failed) {
        record.failure = failed.code();
        record.text = failed.what();
    } catch (std::exception const& failed) {
        record.text = failed.what();
    } catch (stopped const&) {
        record.text = "the body threw belay::stopped, but was not told to stop";
    } catch (...) {
        record.text = "the body threw something that is no std::exception";
    }
}

} // namespace

void set_failure(job_record& record, std::exception_ptr const& exception)
{
    describe(record, exception);
    cut(record.text, message_bytes_max);
}

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
