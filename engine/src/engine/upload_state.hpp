#ifndef BELAY_ENGINE_UPLOAD_STATE_HPP
#define BELAY_ENGINE_UPLOAD_STATE_HPP

#include "engine/state.hpp"
#include "store/files/upload_files.hpp"

#include <belay/upload.hpp>

#include <cstdint>
#include <memory>
#include <utility>

namespace belay {

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
