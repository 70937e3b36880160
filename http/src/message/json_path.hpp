// Where a streaming parser is within a JSON document.
#ifndef BELAY_HTTP_MESSAGE_JSON_PATH_HPP
#define BELAY_HTTP_MESSAGE_JSON_PATH_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace belay::http {

/// Follows a parser through a document, and finds the members that an object has twice, which
/// Boost.JSON 1.81 silently takes the last of.
class json_path {
public:
    /// An object that has more members is refused. It bounds what looking for doubled ones costs.
    static constexpr std::size_t members_max = 256;

    enum class key_check { good, doubled, too_many };

    void open_object() { open(false); }
    void open_array() { open(true); }
    void close();

    /// A key of the innermost object.
    key_check key(std::string_view name);

    /// A value begins: the document, a member's or an element.
    void value() noexcept;

    /// How many objects and arrays are open.
    [[nodiscard]] std::size_t depth() const noexcept { return frames_.size(); }

    /// Whether the innermost of them is an array.
    [[nodiscard]] bool in_array() const noexcept { return frames_.back().is_array; }

    /// How many keys or elements the innermost of them has had, the current one included.
    [[nodiscard]] std::uint64_t count() const noexcept;

    /// The key that the innermost of them, an object, had last.
    [[nodiscard]] std::string_view name() const noexcept;

    /// The way to the current member or element: `inputs[3].ms`; long names are cut.
    [[nodiscard]] std::string text() const;

private:
    struct frame {
        bool is_array;
        std::size_t keys_begin;     ///< in `keys_`
        std::uint64_t elements = 0; ///< begun; of an array only
    };

    /// A key of an open object; its name lies in `names_`.
    struct key_place {
        std::size_t hash; ///< looked at first: it is what makes looking for doubled ones fast
        std::size_t begin;
        std::size_t size;
    };

    void open(bool is_array) { frames_.push_back({is_array, keys_.size()}); }
    [[nodiscard]] std::string_view name_of(key_place const& key) const noexcept
    {
        return std::string_view(names_).substr(key.begin, key.size);
    }

    std::vector<frame> frames_;
    std::vector<key_place> keys_; ///< of all open objects, one object after the other
    std::string names_;
};

} // namespace belay::http

#endif
