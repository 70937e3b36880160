#include "engine/upload_state.hpp"

#include "engine/effective_options.hpp"

#include <belay/engine.hpp>

#include <string>

namespace belay {

upload::upload(std::unique_ptr<state> state) noexcept : state_(std::move(state)) {}
upload::upload(upload&&) noexcept = default;
upload& upload::operator=(upload&&) noexcept = default;
upload::~upload() = default;

void upload::begin_file()
{
    detail::require(state_->draft.source() == nullptr,
                    "an upload of another batch's files takes no others");
    detail::require(files() != detail::jobs_max, "an upload of more than " +
                                                     std::to_string(detail::jobs_max) +
                                                     " files is not possible");
    detail::with_upload_errors(*state_->engine, [&] { state_->draft.begin_file(); });
}

void upload::write(std::string_view bytes)
{
    detail::require(state_->draft.source() == nullptr && files() != 0,
                    "there is no file that bytes could be written to: begin one");
    detail::with_upload_errors(*state_->engine, [&] { state_->draft.write(bytes); });
}

void upload::take_file(std::uint64_t index)
{
    auto const& source = state_->draft.source();
    detail::require(source != nullptr, "an upload of its own has no files of another batch");
    if (index >= source->count())
        throw error(errc::no_such_job, "there is no file " + std::to_string(index) +
                                           "; the batch has " + std::to_string(source->count()));
    detail::with_upload_errors(*state_->engine, [&] { state_->draft.take(index); });
}

std::uint64_t upload::size() const noexcept
{
    return state_->draft.size();
}
std::uint64_t upload::files() const noexcept
{
    return state_->draft.count();
}
std::uint64_t upload::stored_bytes() const noexcept
{
    return state_->draft.stored_bytes();
}

upload engine::make_upload()
{
    return detail::with_upload_errors(*state_, [&] {
        return upload(std::make_unique<upload::state>(state_, state_->outputs().make_upload()));
    });
}

upload engine::make_upload(recorded_batch const& from)
{
    detail::require(from.upload_bytes() != 0, "batch " + from.id() + " has no uploaded files");
    return detail::with_upload_errors(*state_, [&] {
        return upload(std::make_unique<upload::state>(
            state_, state_->outputs().make_upload(from.sequence())));
    });
}

std::uint64_t engine::upload_bytes(std::string_view owner) const
{
    return state_->store().upload_bytes(owner);
}

} // namespace belay
