// What the forms of POST /v1/batches have in common.
#ifndef BELAY_HTTP_RESOURCES_CREATION_HPP
#define BELAY_HTTP_RESOURCES_CREATION_HPP

#include "message/fingerprint.hpp"
#include "service/awaited.hpp"
#include "service/idempotency_keys.hpp"
#include "service/resource.hpp"

#include <belay/engine.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace belay::http {

/// What a request with an Idempotency-Key needs until it is answered.
struct repeatable {
    std::string key;
    idempotency_keys::claim claim;
    std::optional<idempotent_batch> earlier; ///< what was made under the key before
    fingerprint asked;                       ///< of the form, the query and the body
};

/// Nothing if the request has no such key. 400 for one that is none, 409 while another request has
/// it.
[[nodiscard]] result<std::optional<repeatable>> begin_repeatable(admitted const& request,
                                                                 std::string_view form);

/// A new batch on its way: its inputs go into a draft, which is submitted when the body has ended.
/// Under a key that was used before the body is only compared with the first one: as bytes, unless
/// the form says what of it counts.
class creation : public operation {
public:
    enum class compared : std::uint8_t { by_bytes, by_form };

    creation(admitted const& request, std::optional<repeatable> repeat,
             compared how = compared::by_bytes);

    [[nodiscard]] std::optional<api_error> take(std::string_view piece) final;
    [[nodiscard]] std::optional<pause> digest() final;
    [[nodiscard]] step proceed() final;

protected:
    /// The type of that name, which has to be known.
    [[nodiscard]] result<offered_type const*> find_type(std::string_view name) const;

    /// The batch of that id, if it is one that the key may see; or 404.
    [[nodiscard]] result<recorded_batch> find_batch(std::string_view id) const;

    /// From here on there is a draft.
    [[nodiscard]] std::optional<api_error> open_draft(batch_spec spec);

    /// Gives its jobs their files. Then it is submitted on the thread that may wait for a disk; if
    /// that goes well, `quota` is kept.
    void attach(upload files, std::shared_ptr<upload_quota::claim> quota = nullptr);

    /// Adds what of a body counts, of one that is compared by the form.
    void add_to_fingerprint(std::string_view what);
    [[nodiscard]] bool is_replay() const noexcept { return repeat_ && repeat_->earlier; }

    /// Takes a piece of the body.
    [[nodiscard]] virtual std::optional<api_error> read(std::string_view piece) = 0;
    /// Puts what was read into the draft; nothing when all is in it. `body_ended` from the last
    /// piece on.
    [[nodiscard]] virtual std::optional<pause> fill(bool body_ended) = 0;

    /// About how many bytes of inputs are worked up between two looks at the clock.
    static constexpr std::size_t bytes_at_once = 4096;

    /// Waits until the draft takes more, or lets others have their turn; nothing to go on.
    [[nodiscard]] std::optional<pause> make_way(time_slice const& slice);

    service& service_;
    api_key const& key_;
    std::optional<batch_draft> draft_;

private:
    struct submission {
        std::optional<recorded_batch> batch;
        std::exception_ptr failed;
    };

    [[nodiscard]] std::optional<pause> wait_for_room();
    [[nodiscard]] std::optional<pause> fill_guarded(bool body_ended);
    [[nodiscard]] bool is_read() const noexcept;
    [[nodiscard]] step submit();
    [[nodiscard]] step wait_for_store();
    [[nodiscard]] step finish() const;
    [[nodiscard]] step replay();
    [[nodiscard]] std::chrono::milliseconds patience() const;

    origin_ptr origin_;
    std::optional<repeatable> repeat_;
    compared const how_;
    bool has_waited_ = false; ///< for the store to answer
    bool has_files_ = false;
    std::shared_ptr<upload_quota::claim> quota_;
    std::shared_ptr<awaited<bool>> room_;
    std::shared_ptr<awaited<submission>> submitted_;
};

/// For a fault of the engine's while a batch is made.
[[nodiscard]] api_error creation_failed(error const& fault);

// The forms, by their media type.
[[nodiscard]] made_operation create_from_json(admitted request);
[[nodiscard]] made_operation create_from_lines(admitted request);
[[nodiscard]] made_operation create_from_files(admitted request);

} // namespace belay::http

#endif
