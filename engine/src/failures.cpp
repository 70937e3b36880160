#include <belay/detail/work.hpp>

#include <mutex>
#include <unordered_map>
#include <utility>

namespace belay::detail {

struct failures::table {
    std::mutex mutex;
    std::unordered_map<std::uint64_t, std::exception_ptr> exceptions; // guarded by mutex
};

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
