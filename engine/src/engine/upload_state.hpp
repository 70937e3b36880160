#ifndef BELAY_ENGINE_UPLOAD_STATE_HPP
#define BELAY_ENGINE_UPLOAD_STATE_HPP

#include "base/file_failure.hpp"
#include "engine/state.hpp"
#include "store/files/upload_files.hpp"

#include <belay/upload.hpp>

#include <cstdint>
#include <memory>
#include <system_error>
#include <utility>

namespace belay {

namespace detail {

/// What `act` gives. What goes wrong with the files of an upload is an `error` that clients may be
/// shown; the notice board has the path, too.
template <class Act>
auto with_upload_errors(engine_state& engine, Act const& act) -> decltype(act())
{
    try {
        return act();
    } catch (upload_error const& problem) {
        engine.board().incident("upload", problem.place().string() + ": " + problem.what());
        throw;
    } catch (error const&) {
        throw;
    } catch (std::system_error const& problem) {
        engine.board().incident("upload", problem.what());
        throw error(failure_of(problem.code().value()),
                    "the uploaded files can't be written: " + problem.code().message());
    }
}

} // namespace detail

struct upload::state {
    state(std::shared_ptr<detail::engine_state> of, detail::upload_draft made)
        : engine(std::move(of)), draft(std::move(made))
    {
    }
    state(state const&) = delete;
    state& operator=(state const&) = delete;
    ~state()
    {
        constexpr std::uint64_t large = std::uint64_t{8} * 1024 * 1024;
        if (draft.is_kept() || draft.stored_bytes() < large)
            return;
        try {
            engine->drop(std::move(draft));
        } catch (...) { // then here
        }
    }

    std::shared_ptr<detail::engine_state> engine;
    detail::upload_draft draft;
};

} // namespace belay

#endif
