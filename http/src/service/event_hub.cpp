#include "service/event_hub.hpp"

#include "message/json_text.hpp"
#include "service/views.hpp"

#include <algorithm>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace belay::http {

namespace {

using clock = std::chrono::steady_clock;
using log_kind = event_log::kind;

/// For whoever was cut off.
constexpr std::chrono::seconds followed_after{60};

/// Of each batch ten a second at the most, and so many of all.
constexpr std::chrono::milliseconds progress_pause_min{100};
constexpr std::size_t progress_max = 1000;

/// Between two looks at how late it is.
constexpr std::size_t news_at_once = 8;

/// Of each life of a server another one.
std::string make_epoch()
{
    constexpr std::size_t digits = 12;
    return make_secret().substr(0, digits);
}

} // namespace

class event_hub::reader {
public:
    reader(event_hub& of, api_key const& key, reads what) : of_(of), key_(key), what_(what) {}
    reader(reader const&) = delete;
    reader& operator=(reader const&) = delete;
    ~reader() { of_.left(key_, what_); }

private:
    event_hub& of_;
    api_key const& key_;
    reads const what_;
};

event_hub::event_hub(engine& engine, server_options const& options)
    : engine_(engine), options_(options), log_(make_epoch(), options.events_max)
{
}

event_hub::~event_hub() = default;

std::optional<api_error> event_hub::check_place(api_key const& key) const
{
    auto const full = [](std::string const& whose, std::size_t most) {
        return unavailable(whose + " has " + std::to_string(most) +
                           " streams of events and logs, which is as many as there may be");
    };
    if (readers() >= options_.event_streams_max)
        return full("The server", options_.event_streams_max);
    auto const of_key = by_key_.find(&key);
    if (of_key != by_key_.end() && of_key->second >= options_.event_streams_per_key_max)
        return full("The key '" + key.name + "'", options_.event_streams_per_key_max);
    return std::nullopt;
}

result<std::shared_ptr<event_hub::reader const>> event_hub::add_reader(api_key const& key,
                                                                       bool jobs, time_point now)
{
    if (auto full = check_place(key))
        return std::move(*full);
    std::size_t& of_key = by_key_[&key];
    follow_less(now);
    follow(std::max(level_, jobs ? news_level::jobs : news_level::batches));
    auto made = std::make_shared<reader const>(*this, key, jobs ? reads::jobs : reads::batches);
    ++of_key;
    ++all_.number;
    of_jobs_.number += jobs ? 1 : 0;
    return std::shared_ptr<reader const>(std::move(made));
}

result<std::shared_ptr<event_hub::reader const>> event_hub::add_log_reader(api_key const& key)
{
    if (auto full = check_place(key))
        return std::move(*full);
    std::size_t& of_key = by_key_[&key];
    auto made = std::make_shared<reader const>(*this, key, reads::log);
    ++of_key;
    ++of_logs_;
    return std::shared_ptr<reader const>(std::move(made));
}

void event_hub::left(api_key const& key, reads what) noexcept
{
    auto const now = clock::now();
    --by_key_[&key];
    if (what == reads::log) {
        --of_logs_;
        return;
    }
    --all_.number;
    all_.last_left = now;
    if (what != reads::jobs)
        return;
    --of_jobs_.number;
    of_jobs_.last_left = now;
}

/// What was not followed until now is not in the log.
void event_hub::follow(news_level level)
{
    if (level == level_)
        return;
    engine_.follow_news(level, level == news_level::none ? nullptr : call_);
    if (level == news_level::none || level_ == news_level::none)
        log_.skip(log_kind::batch);
    if (level == news_level::jobs || level_ == news_level::jobs)
        log_.skip(log_kind::job);
    level_ = level;
}

void event_hub::follow_less(time_point now)
{
    auto const is_read = [&](reader_count const& of) {
        return of.number != 0 || now < of.last_left + followed_after;
    };
    if (!is_read(all_))
        follow(news_level::none);
    else if (!is_read(of_jobs_))
        follow(std::min(level_, news_level::batches));
}

std::optional<event_hub::time_point> event_hub::publish(time_point now)
{
    time_slice const slice;
    follow_less(now);
    bool const has_more = publish_news(slice, now) || publish_progress(slice, now);
    log_.wake();
    if (has_more)
        return now;
    if (turns_.empty())
        return std::nullopt;
    auto const next = progress_.find(turns_.front());
    return next == progress_.end() ? now : next->second.told + progress_pause();
}

/// Whether there is more.
bool event_hub::publish_news(time_slice const& slice, time_point now)
try {
    for (bool has_more = true; has_more;) {
        if (slice.is_over())
            return true;
        auto const news = engine_.take_news(news_at_once);
        if (!news.is_complete)
            log_.skip(log_kind::batch);
        if (!news.is_complete || !news.has_all_jobs)
            log_.skip(log_kind::job);
        for (auto const& item : news.items)
            publish(item, now);
        has_more = news.has_more;
    }
    return false;
} catch (...) { // some of them are lost
    log_.skip(log_kind::batch);
    log_.skip(log_kind::job);
    throw;
}

void event_hub::publish(news_item const& item, time_point now)
{
    std::uint64_t const sequence = item.batch.sequence();
    switch (item.what) {
    case news_item::kind::state:
        if (is_terminal(item.state))
            progress_.erase(sequence); // it would come after the end
        publish_batch(item.batch, "batch." + std::string(to_string(item.state)), item.state);
        return;
    case news_item::kind::jobs_ended: {
        if (is_terminal(item.batch.state()))
            return;
        auto const [place, is_new] =
            progress_.try_emplace(sequence, item.batch, now - progress_pause());
        place->second.is_due = true;
        if (is_new)
            turns_.push_front(sequence);
        return;
    }
    case news_item::kind::job_ended:
        log_.add({.kind = log_kind::job, .batch = sequence, .owner = item.batch.owner()},
                 "job.ended", to_json(job_event_view(item.batch, item.job, item.mark)));
        return;
    }
}

void event_hub::publish_batch(recorded_batch const& batch, std::string_view name,
                              std::optional<batch_state> entered)
{
    log_.add({.kind = log_kind::batch,
              .batch = batch.sequence(),
              .owner = batch.owner(),
              .state = entered},
             name, to_json(event_view(batch, batch.status())));
}

/// Whether there is more that is due.
bool event_hub::publish_progress(time_slice const& slice, time_point now)
{
    auto const since = now - progress_pause();
    while (!turns_.empty()) {
        if (slice.is_over())
            return true;
        auto const next = progress_.find(turns_.front());
        bool const is_there = next != progress_.end();
        if (is_there && next->second.told > since)
            return false;
        turns_.pop_front();
        if (!is_there)
            continue;
        if (!next->second.is_due) {
            progress_.erase(next);
            continue;
        }
        next->second.told = now;
        next->second.is_due = false;
        turns_.push_back(next->first);
        publish_batch(next->second.batch, "batch.progress", std::nullopt);
    }
    return false;
}

std::chrono::milliseconds event_hub::progress_pause() const noexcept
{
    std::chrono::milliseconds const for_all{progress_.size() * 1000 / progress_max};
    return std::max(progress_pause_min, for_all);
}

void event_hub::close()
{
    is_closed_ = true;
    try {
        log_.wake();
    } catch (std::exception const&) { // those that do not hear of it are cut
    }
}

void event_hub::detach()
{
    follow(news_level::none);
    progress_.clear();
    turns_.clear();
}

} // namespace belay::http
