#ifndef BELAY_HTTP_SERVICE_EVENT_HUB_HPP
#define BELAY_HTTP_SERVICE_EVENT_HUB_HPP

#include "message/api_error.hpp"
#include "service/event_log.hpp"
#include "service/time_slice.hpp"

#include <belay/engine.hpp>
#include <belay/http/server.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string_view>

namespace belay::http {

/// Makes events of what becomes of batches, while somebody reads them and for a while after:
/// whoever was cut off and comes back has missed nothing.
///
/// Thread safety: none, but for the call that `when_news` was given.
class event_hub {
public:
    using time_point = std::chrono::steady_clock::time_point;

    /// `engine` and `options` live longer.
    event_hub(engine& engine, server_options const& options);
    ~event_hub();
    event_hub(event_hub const&) = delete;
    event_hub& operator=(event_hub const&) = delete;

    /// Has `call` called, on any thread, when `publish` should be; once, before anything is read.
    void when_news(std::function<void()> call) { call_ = std::move(call); }

    /// One of those that read, while it lives.
    class reader;

    /// 503 where there are as many as there may be, in all or of one key.
    [[nodiscard]] result<std::shared_ptr<reader const>> add_reader(api_key const& key, bool jobs,
                                                                   time_point now);

    /// The same for one that follows the log of a job: it has a place among them, and events are
    /// not made for it.
    [[nodiscard]] result<std::shared_ptr<reader const>> add_log_reader(api_key const& key);

    /// Makes events of the news there are, for about half a millisecond; when it is to be called
    /// again, also if there are no others. Throws what `engine::take_news` does.
    [[nodiscard]] std::optional<time_point> publish(time_point now);

    /// No more will come: those that read are to go.
    void close();
    /// Neither the engine nor a batch is touched any more.
    void detach();
    [[nodiscard]] bool is_closed() const noexcept { return is_closed_; }

    /// How many there are that read events or logs.
    [[nodiscard]] std::size_t readers() const noexcept { return all_.number + of_logs_; }

    [[nodiscard]] event_log& log() noexcept { return log_; }

private:
    /// How many read events of a kind, and when the last of them went.
    struct reader_count {
        std::size_t number = 0;
        time_point last_left{};
    };

    /// The progress of a batch is told of now and then.
    struct progress {
        recorded_batch batch;
        time_point told;
        bool is_due = false; ///< jobs have ended since
    };

    enum class reads : std::uint8_t { batches, jobs, log };

    void follow(news_level level);
    void follow_less(time_point now);
    [[nodiscard]] std::optional<api_error> check_place(api_key const& key) const;
    void left(api_key const& key, reads what) noexcept;
    [[nodiscard]] bool publish_news(time_slice const& slice, time_point now);
    void publish(news_item const& item, time_point now);
    void publish_batch(recorded_batch const& batch, std::string_view name,
                       std::optional<batch_state> entered);
    [[nodiscard]] bool publish_progress(time_slice const& slice, time_point now);
    [[nodiscard]] std::chrono::milliseconds progress_pause() const noexcept;

    engine& engine_;
    server_options const& options_;
    event_log log_;
    std::function<void()> call_;
    news_level level_ = news_level::none;
    reader_count all_;
    reader_count of_jobs_;
    std::size_t of_logs_ = 0;
    std::map<api_key const*, std::size_t> by_key_;
    std::map<std::uint64_t, progress> progress_; ///< by sequence, of those told of just now
    std::deque<std::uint64_t> turns_;            ///< their turns, and of some that have ended
    bool is_closed_ = false;
};

} // namespace belay::http

#endif
