#ifndef BELAY_NEWS_HPP
#define BELAY_NEWS_HPP

#include <belay/job_type.hpp>
#include <belay/state.hpp>

#include <cstdint>
#include <vector>

namespace belay {

/// How much of what becomes of recorded batches is told.
enum class news_level : std::uint8_t {
    none,
    batches, ///< the states that they enter, and that jobs of them have ended
    jobs,    ///< and which jobs
};

/// Something that has become of a recorded batch.
struct news_item {
    enum class kind : std::uint8_t {
        state,      ///< it has entered `state`; `created` where it is new
        jobs_ended, ///< jobs of it have ended since this was last taken
        job_ended,  ///< `job` has ended. Those that the cancel of their batch left unstarted end
                    ///< with that, and have no item
    };

    recorded_batch batch;
    kind what = kind::state;
    batch_state state = batch_state::created;
    std::uint64_t job = 0;
    job_mark mark = {}; ///< what the job has come to
};

/// What has become of recorded batches, in the order in which it did.
struct news {
    std::vector<news_item> items;
    bool is_complete = true;  ///< false where something before them was dropped: there was too much
    bool has_all_jobs = true; ///< likewise of ends of jobs, of which more come than of the rest
    bool has_more = false;    ///< they were not all
};

} // namespace belay

#endif
