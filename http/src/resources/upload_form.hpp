// A form with files, as it comes in.
#ifndef BELAY_HTTP_RESOURCES_UPLOAD_FORM_HPP
#define BELAY_HTTP_RESOURCES_UPLOAD_FORM_HPP

#include "message/api_error.hpp"
#include "message/fingerprint.hpp"
#include "message/multipart.hpp"
#include "service/time_slice.hpp"
#include "service/upload_quota.hpp"

#include <belay/job_type.hpp>
#include <belay/upload.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace belay::http {

/// Puts the bytes of files where they are kept, and remembers the names of files and all other
/// fields, which are few and short. Refuses, with 400 and `details.field`, fields that are unknown,
/// doubled, too long or not UTF-8, and too many files; with 413, more bytes than there may be, also
/// of names.
///
/// Thread safety: none: pieces are added on one thread, and worked up on another, by turns.
class upload_form {
public:
    struct setup {
        std::string boundary;
        std::uint64_t files_max;
        std::uint64_t bytes_max;     ///< of all files
        std::size_t input_bytes_max; ///< of the field `input`
        std::uint64_t names_bytes_max; ///< of the files' names in memory
        /// Makes what the files go to; unset, they are only compared with earlier ones.
        std::function<upload()> make = {};
        std::shared_ptr<upload_quota::claim> quota = nullptr; ///< set where `make` is
        /// Why that gives no more, for `details` and the message.
        std::function<api_error()> over_quota = {};
        bool is_compared = false; ///< `digest` is wanted
    };
    explicit upload_form(setup setup);

    /// Adds a piece of the body.
    void add(std::string_view piece) { waiting_ += piece; }
    /// The body has ended.
    void finish() noexcept { has_ended_ = true; }

    /// Whether what was added is to be worked up before more is.
    [[nodiscard]] bool wants_work() const noexcept;
    /// Does some of that. May wait for the disk.
    void work() noexcept;

    /// Why it is refused; throws what the engine threw.
    [[nodiscard]] std::optional<api_error> fault() const;

    // From here on what was read, once it has ended.

    /// The text of a field that is no file; null if it was not there.
    [[nodiscard]] std::string const* field(std::string_view name) const;
    /// The name that a file has: the client's, or `file-N`, by its place from 0.
    [[nodiscard]] std::string name_of(std::uint64_t file) const;
    [[nodiscard]] std::uint64_t files() const noexcept { return names_.size(); }
    /// The files themselves, and with them what they count for. Once; only if there is one.
    [[nodiscard]] upload release()
    {
        setup_.quota.reset();
        return std::move(*upload_);
    }
    /// Of the parts, whatever their boundary was.
    [[nodiscard]] std::string digest() { return digest_->finish(); }

    /// About how much memory it holds.
    [[nodiscard]] std::uint64_t bytes_held() const noexcept;

private:
    [[nodiscard]] std::optional<api_error> read(time_slice const& slice);
    [[nodiscard]] std::optional<api_error> take(part_head const& head);
    [[nodiscard]] std::optional<api_error> take(part_data const& data);
    [[nodiscard]] std::optional<api_error> take(part_end const&);
    [[nodiscard]] std::optional<api_error> begin_file(part_head const& head);
    [[nodiscard]] std::optional<api_error> begin_field(std::string const& name);
    [[nodiscard]] std::optional<api_error> take_room(std::uint64_t bytes);

    setup setup_;
    multipart_reader reader_;
    std::string waiting_; ///< of the body
    bool has_ended_ = false;
    bool is_reading_ = false; ///< there is more in what the reader was given
    bool is_last_ = false;    ///< nothing comes after that
    bool is_read_ = false;    ///< to the end

    std::optional<upload> upload_;
    byte_strings names_;
    std::uint64_t names_bytes_ = 0;
    std::uint64_t bytes_ = 0; ///< of all files
    std::map<std::string, std::string, std::less<>> fields_;
    std::uint64_t fields_bytes_ = 0;
    std::string* text_ = nullptr; ///< of the field that comes; null of a file
    std::string name_;            ///< of it
    std::optional<fingerprint> digest_;
    std::optional<fingerprint> part_digest_;

    std::optional<api_error> fault_;
    std::exception_ptr thrown_;
};

} // namespace belay::http

#endif
