// Reading a table of a TOML file, key by key.
#ifndef BELAY_HTTP_TYPES_TOML_KEYS_HPP
#define BELAY_HTTP_TYPES_TOML_KEYS_HPP

#include <toml++/toml.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace belay::http {

/// What is wrong with a configuration, at which lines. All of it is told together.
class configuration_faults {
public:
    void add(std::size_t line, std::string message);
    void add(toml::node const& at, std::string message) { add(line_of(at), std::move(message)); }
    void add(toml::parse_error const& error);

    [[nodiscard]] std::size_t count() const noexcept { return faults_.size(); }

    /// `FILE:LINE: message`, one a line, in the order of lines.
    [[nodiscard]] std::string text(std::string const& file) const;

    [[nodiscard]] static std::size_t line_of(toml::node const& node)
    {
        return node.source().begin.line;
    }

private:
    struct fault {
        std::size_t line;
        std::string message;
    };
    std::vector<fault> faults_;
};

/// A value as a message may show it.
[[nodiscard]] std::string describe(toml::node const& value);

/// The keys of a table. Each member reads one: nothing if it is missing, or if it is not what it
/// must be, which is noted as a fault.
class toml_keys {
public:
    /// `line` is where the table is named.
    toml_keys(toml::table const& table, std::size_t line, configuration_faults& faults)
        : table_(table), line_(line), faults_(faults)
    {
    }

    [[nodiscard]] toml::node const* node(std::string_view key);
    [[nodiscard]] toml::table const* table(std::string_view key);
    [[nodiscard]] toml::array const* array(std::string_view key);
    [[nodiscard]] std::optional<std::string> text(std::string_view key);
    [[nodiscard]] std::optional<std::int64_t> integer(std::string_view key, std::int64_t min,
                                                      std::int64_t max);
    [[nodiscard]] std::optional<double> number(std::string_view key); ///< finite
    [[nodiscard]] std::optional<std::chrono::milliseconds>
    time(std::string_view key, std::chrono::milliseconds min, std::chrono::milliseconds max);

    /// Notes it as a fault if the key is missing; `what` is what it should say.
    void require(std::string_view key, std::string_view what);

    /// Notes the keys that nobody has asked for.
    void no_others();

    /// The line of a key's value, or of the table.
    [[nodiscard]] std::size_t line_of(std::string_view key) const;

    [[nodiscard]] std::size_t line() const noexcept { return line_; }

    /// Notes a fault of a key's value.
    void fault(std::string_view key, std::string const& message)
    {
        faults_.add(line_of(key), message);
    }

private:
    void refuse(std::string_view key, toml::node const& value, std::string const& wanted);

    toml::table const& table_;
    std::size_t line_;
    configuration_faults& faults_;
    std::vector<std::string_view> known_;
};

} // namespace belay::http

#endif
