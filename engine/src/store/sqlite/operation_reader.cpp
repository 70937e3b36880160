// What a reader finds of operations.
#include "store/sqlite/operation_rows.hpp"
#include "store/sqlite/origin_columns.hpp"
#include "store/sqlite/reader.hpp"
#include "store/sqlite/statement.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

namespace belay {

namespace {

#define BELAY_SELECT_OPERATION                                                                     \
    "SELECT sequence, id, owner, filter, mode, grace_ms, reason, requested_by, requested_at, "     \
    "request_id, traceparent, total, finished_at, cancelled, completed, failed, expired, "         \
    "forgotten, expires_at FROM operation "

constexpr char const* find_operation_of_id = BELAY_SELECT_OPERATION "WHERE id = ?";
constexpr char const* list_operations_before =
    BELAY_SELECT_OPERATION "WHERE sequence < ? ORDER BY sequence DESC LIMIT ?";
constexpr char const* list_open_operations =
    BELAY_SELECT_OPERATION "WHERE finished_at IS NULL ORDER BY sequence";
constexpr char const* find_operation_batches =
    "SELECT batches FROM operation_batches WHERE operation = ?";
constexpr char const* find_next_operation_expiry =
    "SELECT min(expires_at) FROM operation WHERE expires_at IS NOT NULL";

#undef BELAY_SELECT_OPERATION

stored_operation read_operation(rows& row)
{
    stored_operation operation;
    operation.sequence = row.count();
    operation.id = row.text();
    operation.owner = row.text();
    operation.filter = row.text();
    operation.request.mode = row.word(cancel_mode::immediate);
    operation.request.grace = row.optional(&rows::duration);
    operation.request.reason = row.text();
    operation.request.requested_by = row.text();
    operation.requested_at = row.time();
    operation.request.origin = read_origin(row);
    operation.total = row.count();
    auto const finished_at = row.optional(&rows::time);
    if (!finished_at)
        return operation;
    operation_end end{.at = *finished_at, .counts = {}};
    end.counts.total = operation.total;
    for (auto* const count : {&end.counts.cancelled, &end.counts.completed, &end.counts.failed,
                              &end.counts.expired, &end.counts.forgotten})
        *count = row.count();
    end.expires = row.optional(&rows::time);
    operation.end = end;
    return operation;
}

} // namespace

template <class... Values>
std::vector<stored_operation> sqlite_reader::operations(char const* text, Values const&... values)
{
    std::vector<stored_operation> result;
    rows row(statement(text), values...);
    while (row.next())
        result.push_back(read_operation(row));
    return result;
}

std::optional<stored_operation> sqlite_reader::find_operation(std::string_view id)
{
    auto found = operations(find_operation_of_id, id);
    return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
}

std::vector<stored_operation> sqlite_reader::list_operations(std::uint64_t before,
                                                             std::size_t limit)
{
    constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
    return operations(list_operations_before, std::min(before, most),
                      std::min<std::uint64_t>(limit, most));
}

std::vector<open_operation> sqlite_reader::open_operations()
{
    std::vector<open_operation> result;
    for (auto& about : operations(list_open_operations)) {
        auto const sequence = about.sequence;
        result.push_back({std::move(about), operation_batches(sequence)});
    }
    return result;
}

std::vector<std::uint64_t> sqlite_reader::operation_batches(std::uint64_t sequence)
{
    rows row(statement(find_operation_batches), sequence);
    return row.next() ? unpack_sequences(row.bytes()) : std::vector<std::uint64_t>();
}

std::optional<time_point> sqlite_reader::next_operation_expiry()
{
    rows row(statement(find_next_operation_expiry));
    return row.next() ? row.optional(&rows::time) : std::nullopt;
}

} // namespace belay
