// Reading belay.db.
#ifndef BELAY_STORE_SQLITE_READER_HPP
#define BELAY_STORE_SQLITE_READER_HPP

#include "store/sqlite/schema.hpp"
#include "store/store.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace belay {

/// One connection. Its members are those of `store`; they throw SQLite::Exception, too.
/// Thread safety: none.
class sqlite_reader {
public:
    /// Throws `error` (`store_failed`, `resources_exhausted`).
    explicit sqlite_reader(sqlite_schema::place const& place);

    [[nodiscard]] std::optional<stored_batch> find(std::string_view id);
    [[nodiscard]] std::vector<stored_batch> list(std::uint64_t before, std::size_t limit);
    [[nodiscard]] std::vector<stored_batch> open_batches();
    [[nodiscard]] std::vector<job_record> jobs(std::uint64_t sequence, std::uint64_t first,
                                               std::uint64_t end);
    void outcomes(std::uint64_t sequence, std::uint64_t first, std::uint64_t end,
                  std::function<void(job_record const&)> const& visit);
    [[nodiscard]] input_page inputs(std::uint64_t sequence, std::uint64_t index);
    [[nodiscard]] std::vector<std::uint64_t> cancelled_jobs(std::uint64_t sequence);
    [[nodiscard]] std::optional<idempotent_batch>
    find_idempotent(std::string_view owner, std::string_view key, time_point now);
    [[nodiscard]] std::uint64_t upload_bytes(std::string_view owner);
    [[nodiscard]] std::vector<std::uint64_t> expired(time_point now, std::size_t limit);
    [[nodiscard]] std::optional<time_point> next_expiry();

    // In operation_reader.cpp.
    [[nodiscard]] std::optional<stored_operation> find_operation(std::string_view id);
    [[nodiscard]] std::vector<stored_operation> list_operations(std::uint64_t before,
                                                                std::size_t limit);
    [[nodiscard]] std::vector<open_operation> open_operations();
    [[nodiscard]] std::vector<std::uint64_t> operation_batches(std::uint64_t sequence);
    [[nodiscard]] std::optional<time_point> next_operation_expiry();

    /// The `error` that stands for what one of them threw; to be asked at once.
    [[nodiscard]] error failure(SQLite::Exception const& thrown) const;

private:
    [[nodiscard]] SQLite::Statement& statement(char const* text);
    template <class... Values>
    [[nodiscard]] std::vector<stored_batch> batches(char const* text, Values const&... values);
    [[nodiscard]] std::vector<error_count> failures(std::uint64_t sequence);
    template <class... Values>
    [[nodiscard]] std::vector<stored_operation> operations(char const* text,
                                                           Values const&... values);

    SQLite::Database database_;
    std::unordered_map<char const*, SQLite::Statement> statements_; ///< by the text's address
};

/// Lends connections, each to one caller at a time; at most eight are open, and who comes then
/// waits. Thread safety: full.
class sqlite_readers {
public:
    explicit sqlite_readers(sqlite_schema::place place) : place_(std::move(place)) {}

    /// Calls `read` with a connection. Throws `error` (`store_failed`, `resources_exhausted`).
    template <class Read>
    auto with(Read read)
    {
        auto reader = take();
        try {
            auto result = read(*reader);
            give_back(std::move(reader));
            return result;
        } catch (error const&) {
            give_back(std::move(reader));
            throw;
        } catch (SQLite::Exception const& problem) {
            auto const failure = reader->failure(problem);
            // A fresh one may do better, unless nothing can be opened.
            give_back(problem.getErrorCode() == SQLITE_CANTOPEN ? std::move(reader) : nullptr);
            throw failure;
        } catch (...) {
            give_back(nullptr);
            throw;
        }
    }

private:
    static constexpr std::size_t open_max = 8;

    [[nodiscard]] std::unique_ptr<sqlite_reader> take();
    void give_back(std::unique_ptr<sqlite_reader> reader) noexcept;

    sqlite_schema::place place_;

    std::mutex mutex_; ///< guards what follows
    std::condition_variable given_back_;
    std::vector<std::unique_ptr<sqlite_reader>> idle_;
    std::size_t lent_ = 0;
};

} // namespace belay

#endif
