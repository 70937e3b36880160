#include "resources/creation.hpp"

#include "message/answers.hpp"
#include "message/text.hpp"
#include "service/views.hpp"

#include <belay/detail/shortage.hpp>
#include <belay/error.hpp>

#include <utility>
#include <variant>

namespace belay::http {

namespace {

/// What a target has behind its first question mark, as it came.
std::string_view raw_query(std::string_view target)
{
    std::size_t const mark = target.find('?');
    return mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
}

response created(recorded_batch const& batch)
{
    response answer = succeeded(202, "Batch created",
                                {{"batch_id", batch.id()},
                                 {"status", to_string(batch.state())},
                                 {"total", batch.size()}});
    answer.fields.emplace_back("Location", path_of(batch));
    return answer;
}

step as_step(pause&& next)
{
    return std::visit([](auto&& what) -> step { return std::move(what); }, std::move(next));
}

api_error deleted_since(std::string const& batch_id)
{
    return {409,
            "idempotency_conflict",
            "The batch that was made with this Idempotency-Key is not kept any more; use another "
            "key to make a new one",
            {{"batch_id", batch_id}}};
}

} // namespace

result<std::optional<repeatable>> begin_repeatable(admitted const& request, std::string_view form)
{
    if (!request.head.idempotency_key)
        return std::optional<repeatable>();
    std::string const& key = *request.head.idempotency_key;
    if (!is_idempotency_key(key))
        return invalid_request("Idempotency-Key",
                               "The Idempotency-Key must be 1 to 255 visible ASCII characters");
    auto claim = request.service.keys_under_way().take(request.key->owner, key);
    if (!claim)
        return idempotency_in_progress();
    // submit() looks again, in one step with the creation. Here it is so that a repeat of gigabytes
    // is not stored once more to find that out, and is answered whatever a new batch would be refused
    // for by now.
    repeatable repeat{key, std::move(claim),
                      request.service.batches().find_idempotent(request.key->owner, key), {}};
    for (auto const part : {form, std::string_view("\n"), raw_query(request.head.target),
                            std::string_view("\n")})
        repeat.asked.add(part);
    return std::optional(std::move(repeat));
}

creation::creation(admitted const& request, std::optional<repeatable> repeat, compared how)
    : service_(request.service),
      key_(*request.key),
      origin_(origin_of(request.head)),
      repeat_(std::move(repeat)),
      how_(how)
{
}

std::optional<api_error> creation::take(std::string_view piece)
{
    if (repeat_ && how_ == compared::by_bytes)
        repeat_->asked.add(piece);
    return is_read() ? read(piece) : std::nullopt;
}

/// Whether there is more to do with the body than to compare its bytes.
bool creation::is_read() const noexcept
{
    return !is_replay() || how_ == compared::by_form;
}

void creation::add_to_fingerprint(std::string_view what)
{
    if (repeat_)
        repeat_->asked.add(what);
}

std::optional<pause> creation::digest()
{
    return is_read() ? fill_guarded(false) : std::nullopt;
}

step creation::proceed()
{
    if (submitted_)
        return wait_for_store();
    if (is_read())
        if (auto next = fill_guarded(true))
            return as_step(std::move(*next));
    return is_replay() ? replay() : submit();
}

result<offered_type const*> creation::find_type(std::string_view name) const
{
    auto const* const type = service_.find_type(name);
    if (type == nullptr)
        return invalid_request("type", "There is no job type " + quoted(name) +
                                           "; the job types are " + service_.type_names());
    return type;
}

result<recorded_batch> creation::find_batch(std::string_view id) const
{
    return service_.find_batch(id, key_);
}

std::optional<api_error> creation::open_draft(batch_spec spec)
{
    spec.owner = key_.owner;
    spec.created_by = key_.name;
    spec.origin = origin_;
    try {
        draft_ = service_.batches().draft(std::move(spec));
        return std::nullopt;
    } catch (error const& fault) {
        return creation_failed(fault);
    }
}

void creation::attach(upload files, std::shared_ptr<upload_quota::claim> quota)
{
    draft_->attach(std::move(files));
    has_files_ = true;
    quota_ = std::move(quota);
}

std::optional<pause> creation::make_way(time_slice const& slice)
{
    if (auto wait = wait_for_room())
        return wait;
    return slice.is_over() ? std::optional<pause>(more_to_do{}) : std::nullopt;
}

std::optional<pause> creation::wait_for_room()
{
    if (!draft_->is_full()) {
        room_.reset();
        return std::nullopt;
    }
    if (room_ && !room_->get())
        return unavailable("The store does not keep up with the inputs");
    room_ = std::make_shared<awaited<bool>>();
    draft_->when_not_full([room = room_] { room->set(true); });
    return room_->wait(patience());
}

std::optional<pause> creation::fill_guarded(bool body_ended)
{
    try {
        return fill(body_ended);
    } catch (error const& fault) {
        return creation_failed(fault);
    }
}

step creation::submit()
{
    if (repeat_)
        draft_->set_idempotency({repeat_->key, repeat_->asked.finish()});
    submitted_ = std::make_shared<awaited<submission>>();
    auto const tell = [submitted = submitted_, claim = repeat_ ? repeat_->claim : nullptr,
                       quota = std::move(quota_)](auto batch, auto failed) {
        if (quota && batch)
            quota->keep();
        submitted->set({std::move(batch), std::move(failed)});
    };
    if (!has_files_) {
        draft_->submit(tell);
        return wait_for_store();
    }
    auto const draft = std::make_shared<batch_draft>(std::move(*draft_));
    return reading{[draft, tell] { draft->submit(tell); }, disk_lane::uploads};
}

step creation::wait_for_store()
{
    if (submitted_->get() || std::exchange(has_waited_, true))
        return finish();
    return submitted_->wait(patience());
}

step creation::finish() const
{
    auto const made = submitted_->get();
    if (!made)
        return processing_error("Failed to create batch: the store has not answered in time",
                                {{"operation", "create_batch"}, {"outcome", "unknown"}});
    if (made->batch)
        return created(*made->batch);
    try {
        std::rethrow_exception(made->failed);
    } catch (error const& fault) {
        return creation_failed(fault);
    }
}

step creation::replay()
{
    if (repeat_->earlier->digest != repeat_->asked.finish())
        return idempotency_conflict();
    auto const batch = service_.batches().find(repeat_->earlier->batch_id);
    if (!batch)
        return deleted_since(repeat_->earlier->batch_id);
    response answer = created(*batch);
    answer.fields.emplace_back("Idempotency-Replayed", "true");
    return answer;
}

std::chrono::milliseconds creation::patience() const
{
    return service_.options().request_time_max;
}

api_error creation_failed(error const& fault)
{
    if (fault.code() == errc::memory_exhausted || fault.code() == errc::shutting_down ||
        fault.code() == errc::store_full || detail::is_shortage(fault.code()))
        return unavailable(fault.what());
    if (fault.code() == errc::idempotency_conflict)
        return idempotency_conflict();
    return processing_error(std::string("Failed to create batch: ") + fault.what(),
                            {{"operation", "create_batch"}, {"outcome", "not_created"}});
}

} // namespace belay::http
