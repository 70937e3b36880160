// The body of POST /v1/batches, read as it comes in.
#ifndef BELAY_HTTP_MESSAGE_BATCH_BODY_HPP
#define BELAY_HTTP_MESSAGE_BATCH_BODY_HPP

#include "message/api_error.hpp"

#include <belay/job_type.hpp>

#include <boost/json/object.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace belay::http {

/// How many characters the texts that belong to a batch may have.
inline constexpr std::size_t batch_name_characters_max = 256;
inline constexpr std::size_t collection_id_characters_max = 256;

/// Why a text can't be such a one, as a message that begins with `name`: it is too long, or has
/// characters in it by which it would be shown as another one.
[[nodiscard]] std::optional<std::string> fault_of_name(std::string_view name, std::string_view text,
                                                       std::size_t characters_max);

/// What such a body says. Nothing in it has been held against a type.
struct batch_body {
    std::optional<std::string> type;
    std::optional<std::string> batch_name;
    std::optional<std::string> collection_id;
    boost::json::object options;
    byte_strings inputs;             ///< each the compact JSON text of one input; at least one, or
    std::optional<std::string> from; ///< the batch whose inputs are to be taken
    std::vector<std::string> select; ///< which of them: what its jobs came to
};

/// Parses the JSON of a new batch in pieces, its members in any order, without building a tree of
/// the inputs. Refuses what `parse_strict` refuses and, with 400 and `details.field`
/// (`inputs[3].ms`), members that are unknown, doubled or of a wrong type, names that
/// `fault_of_name` refuses, no inputs and no batch to take them of, or both, more than `inputs_max`
/// of them, one whose compact text has more than `input_bytes_max` bytes, and options of more than
/// 64 KiB. How the body is cut into pieces makes no difference, save for the byte that a fault of
/// syntax is said to be near. Memory is bounded by the size of the body, which the caller limits;
/// time is linear in it, about the same for each byte.
class batch_body_parser {
public:
    batch_body_parser(std::uint64_t inputs_max, std::size_t input_bytes_max);
    ~batch_body_parser();
    batch_body_parser(batch_body_parser const&) = delete;
    batch_body_parser& operator=(batch_body_parser const&) = delete;

    /// Takes the next piece. After an error every further call gives the same one.
    [[nodiscard]] std::optional<api_error> write(std::string_view piece);

    /// Says that the body has ended.
    [[nodiscard]] std::optional<api_error> finish();

    /// About how much memory what was read takes.
    [[nodiscard]] std::uint64_t bytes_held() const noexcept;

    /// What was read. Only after `finish` gave no error, and once.
    [[nodiscard]] batch_body release();

private:
    [[nodiscard]] std::optional<api_error> fault_of_whole();

    class handler;
    struct state;
    std::unique_ptr<state> state_;
};

} // namespace belay::http

#endif
