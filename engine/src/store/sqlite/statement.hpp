// Binding values to statements and reading them back.
#ifndef BELAY_STORE_SQLITE_STATEMENT_HPP
#define BELAY_STORE_SQLITE_STATEMENT_HPP

#include <belay/clock.hpp>
#include <belay/error.hpp>

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include <chrono>
#include <climits>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace belay {

/// What is bound as a BLOB.
struct blob {
    std::string_view bytes;
};

inline void bind(SQLite::Statement& statement, int index, std::integral auto value)
{
    statement.bind(index, static_cast<std::int64_t>(value));
}
inline void bind(SQLite::Statement& statement, int index, float value)
{
    statement.bind(index, static_cast<double>(value));
}
inline void bind(SQLite::Statement& statement, int index, time_point value)
{
    statement.bind(index, static_cast<std::int64_t>(value.time_since_epoch().count()));
}
inline void bind(SQLite::Statement& statement, int index, std::chrono::milliseconds value)
{
    statement.bind(index, static_cast<std::int64_t>(value.count()));
}
/// Must live until the statement has run.
inline void bind(SQLite::Statement& statement, int index, std::string const& value)
{
    statement.bindNoCopy(index, value);
}
inline void bind(SQLite::Statement& statement, int index, std::string_view value)
{
    statement.bind(index, std::string(value));
}
/// Must live until the statement has run.
inline void bind(SQLite::Statement& statement, int index, blob value)
{
    if (value.bytes.size() > INT_MAX)
        throw SQLite::Exception("string or blob too big", SQLITE_TOOBIG);
    char const* const data = value.bytes.data() == nullptr ? "" : value.bytes.data();
    statement.bindNoCopy(index, data, static_cast<int>(value.bytes.size()));
}
inline void bind(SQLite::Statement& statement, int index, std::nullopt_t)
{
    statement.bind(index);
}
template <class T>
void bind(SQLite::Statement& statement, int index, std::optional<T> const& value)
{
    if (value)
        bind(statement, index, *value);
    else
        statement.bind(index);
}

/// Resets a statement: one that is left open would hold its snapshot of the log.
class reset_at_end {
public:
    explicit reset_at_end(SQLite::Statement& statement) noexcept : statement_(statement) {}
    ~reset_at_end() { (void)statement_.tryReset(); }
    reset_at_end(reset_at_end const&) = delete;
    reset_at_end& operator=(reset_at_end const&) = delete;

private:
    SQLite::Statement& statement_;
};

/// Runs a statement that gives no rows; how many rows it changed.
template <class... Values>
int run(SQLite::Statement& statement, Values const&... values)
{
    reset_at_end const guard(statement);
    int index = 0;
    (bind(statement, ++index, values), ...);
    return statement.exec();
}

/// The rows of a statement, and the columns of each from left to right.
class rows {
public:
    template <class... Values>
    explicit rows(SQLite::Statement& statement, Values const&... values)
        : statement_(statement), guard_(statement)
    {
        int index = 0;
        (bind(statement, ++index, values), ...);
    }

    [[nodiscard]] bool next()
    {
        column_ = 0;
        return statement_.executeStep();
    }

    [[nodiscard]] std::int64_t integer() { return statement_.getColumn(column_++).getInt64(); }
    [[nodiscard]] std::uint64_t count() { return static_cast<std::uint64_t>(integer()); }
    [[nodiscard]] std::string text() { return std::string(bytes()); }
    [[nodiscard]] time_point time() { return time_point(std::chrono::nanoseconds(integer())); }
    [[nodiscard]] std::chrono::milliseconds duration()
    {
        return std::chrono::milliseconds(integer());
    }

    /// Good until the next row.
    [[nodiscard]] std::string_view bytes()
    {
        auto const column = statement_.getColumn(column_++);
        auto const* const data = static_cast<char const*>(column.getBlob());
        return {data, static_cast<std::size_t>(column.getBytes())};
    }

    [[nodiscard]] bool is_null() { return statement_.isColumnNull(column_); }
    void skip(int columns) noexcept { column_ += columns; }

    /// What `read`, a member function, gives, or nothing where there is NULL.
    template <class T>
    [[nodiscard]] std::optional<T> optional(T (rows::*read)())
    {
        if (!is_null())
            return (this->*read)();
        ++column_;
        return std::nullopt;
    }
    [[nodiscard]] std::optional<float> number()
    {
        auto const column = statement_.getColumn(column_++);
        return column.isNull() ? std::nullopt
                               : std::optional(static_cast<float>(column.getDouble()));
    }

    /// The value up to `last` for which `to_string` gives the word in this column.
    template <class Enum>
    [[nodiscard]] Enum word(Enum last)
    {
        auto const word = bytes();
        for (int value = 0; value <= static_cast<int>(last); ++value)
            if (to_string(static_cast<Enum>(value)) == word)
                return static_cast<Enum>(value);
        throw error(errc::store_failed, "the database has the unknown word '" + std::string(word) +
                                            "' in column " + statement_.getColumnName(column_ - 1));
    }

private:
    SQLite::Statement& statement_;
    reset_at_end guard_;
    int column_ = 0;
};

} // namespace belay

#endif
