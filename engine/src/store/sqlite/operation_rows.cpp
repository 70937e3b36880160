#include "store/sqlite/operation_rows.hpp"

#include "store/leb128.hpp"
#include "store/sqlite/origin_columns.hpp"
#include "store/sqlite/statement.hpp"

#include <belay/error.hpp>

namespace belay {

std::string pack_sequences(std::vector<std::uint64_t> const& sequences)
{
    std::string bytes;
    std::uint64_t last = 0;
    for (auto const sequence : sequences) {
        put_leb128(bytes, sequence - last);
        last = sequence;
    }
    return bytes;
}

std::vector<std::uint64_t> unpack_sequences(std::string_view bytes)
{
    std::vector<std::uint64_t> sequences;
    std::uint64_t last = 0;
    while (!bytes.empty()) {
        auto const more = take_leb128(bytes);
        if (!more || *more == 0)
            throw error(errc::store_failed,
                        "the list of an operation's batches in the database is damaged");
        sequences.push_back(last += *more);
    }
    return sequences;
}

operation_rows::operation_rows(SQLite::Database& database)
    : insert_(database, R"(
        INSERT INTO operation (sequence, id, owner, filter, mode, grace_ms, reason, requested_by,
            requested_at, request_id, traceparent, total)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?))"),
      insert_batches_(database, "INSERT INTO operation_batches VALUES (?, ?)"),
      remove_(database, "DELETE FROM operation WHERE sequence = ?"),
      remove_batches_(database, "DELETE FROM operation_batches WHERE operation = ?"),
      end_(database, R"(
        UPDATE operation SET finished_at = ?, cancelled = ?, completed = ?, failed = ?, expired = ?,
            forgotten = ?, expires_at = ?
        WHERE sequence = ?)"),
      remove_expired_batches_(database, R"(
        DELETE FROM operation_batches WHERE operation IN
            (SELECT sequence FROM operation WHERE expires_at <= ?))"),
      remove_expired_(database, "DELETE FROM operation WHERE expires_at <= ?")
{
}

void operation_rows::insert(open_operation const& made)
{
    stored_operation const& about = made.about;
    cancel_request const& request = about.request;
    request_origin const origin = known(request.origin);
    std::string const batches = pack_sequences(made.batches);
    run(insert_, about.sequence, about.id, about.owner, about.filter, to_string(request.mode),
        request.grace, request.reason, request.requested_by, about.requested_at, origin.request_id,
        origin.traceparent, about.total);
    run(insert_batches_, about.sequence, blob{batches});
}

void operation_rows::remove(std::uint64_t sequence)
{
    run(remove_, sequence);
    run(remove_batches_, sequence);
}

void operation_rows::end(std::uint64_t sequence, operation_end const& end)
{
    operation_counts const& counts = end.counts;
    if (run(end_, end.at, counts.cancelled, counts.completed, counts.failed, counts.expired,
            counts.forgotten, end.expires, sequence) == 0)
        throw error(errc::store_failed,
                    "there is no operation with sequence " + std::to_string(sequence));
}

void operation_rows::remove_expired(time_point now)
{
    run(remove_expired_batches_, now);
    run(remove_expired_, now);
}

} // namespace belay
