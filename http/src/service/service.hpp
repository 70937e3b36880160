// This folder: who may do what, the order of checks, and how batches are shown. No socket; message and the
// engine's public headers come in.
#ifndef BELAY_HTTP_SERVICE_SERVICE_HPP
#define BELAY_HTTP_SERVICE_SERVICE_HPP

#include "message/operation.hpp"
#include "message/request_target.hpp"
#include "service/cancel_history.hpp"
#include "service/event_hub.hpp"
#include "service/idempotency_keys.hpp"
#include "service/shown_batches.hpp"
#include "service/upload_quota.hpp"

#include <belay/engine.hpp>
#include <belay/http/server.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace belay::http {

struct route; ///< a line of the table of resources

/// The most bytes that a body may have which is no list of inputs.
inline constexpr std::uint64_t small_body_bytes_max = 16 * 1024;

/// The most bytes that a body may have which lists batches.
inline constexpr std::uint64_t list_body_bytes_max = 1024 * 1024;

/// The most bytes that the body of a new batch with files may have: room for what says which file
/// is which is among them.
[[nodiscard]] std::uint64_t upload_body_bytes_max(server_options const& options) noexcept;

/// The most bytes that the names of its files may take in memory, where each takes
/// `upload_name_bytes` more.
[[nodiscard]] std::uint64_t upload_names_bytes_max(server_options const& options) noexcept;
inline constexpr std::uint64_t upload_name_bytes = sizeof(std::size_t);

/// What the resources work on: the engine, the types, the keys, the limits. Used by the server's
/// sessions alone, one at a time, save for `stop_serving`, `close` and, while an answer is read, what
/// does not change: the engine, the types and the options.
class service {
public:
    /// `routes` and `options` live longer.
    service(engine& engine, std::span<route const> routes, std::vector<offered_type> types,
            server_options const& options);

    /// What the target and the key of a request lead to.
    struct looked_up {
        result<request_target> target;
        api_key const* key = nullptr; ///< null for none, and for a wrong one
        http::route const* route = nullptr; ///< null for none
        /// Whether its work goes before that of other requests (G10): a cancel, a look at a state,
        /// or whether the server is alive, and with the key that it wants.
        bool is_control = false;
        bool changes = false; ///< something, which then has to be told
    };
    [[nodiscard]] looked_up look_up(request_head const& head) const;

    /// Whether the request may be made, and then what it does. The checks come in the order that
    /// semantics.md gives.
    [[nodiscard]] result<std::unique_ptr<operation>> admit(request_head const& head,
                                                           looked_up found);

    /// From here on every request is answered with 503.
    void stop_serving() noexcept { stopping_ = true; }

    /// What touches the engine is done while this is held, and only if the service is not closed; or
    /// by the thread that reads for answers, which is closed next.
    [[nodiscard]] std::unique_lock<std::mutex> enter() { return std::unique_lock(mutex_); }

    /// Whether the engine may be gone.
    [[nodiscard]] bool is_closed() const noexcept { return closed_; }
    void close()
    {
        std::scoped_lock const lock(mutex_);
        if (!closed_)
            events_.detach();
        closed_ = true;
    }

    [[nodiscard]] engine& batches() noexcept { return engine_; }
    [[nodiscard]] cancel_history& cancels() noexcept { return *cancels_; }
    [[nodiscard]] shown_batches& dry_runs() noexcept { return dry_runs_; }
    /// When this was made.
    [[nodiscard]] time_point started_at() const noexcept { return started_at_; }
    [[nodiscard]] event_hub& events() noexcept { return events_; }
    [[nodiscard]] server_options const& options() const noexcept { return options_; }

    [[nodiscard]] bool is_short_of_memory() const
    {
        return options_.memory_is_short && options_.memory_is_short();
    }

    /// Of the creations under way.
    [[nodiscard]] idempotency_keys& keys_under_way() noexcept { return *keys_under_way_; }

    /// Of uploads under way, and of what was uploaded before.
    [[nodiscard]] upload_quota& uploads() noexcept { return *uploads_; }

    /// The batch of that id, if it is one that the key may see; or 404.
    [[nodiscard]] result<recorded_batch> find_batch(std::string_view id, api_key const& key) const;

    /// The operation of that id, likewise.
    [[nodiscard]] result<cancel_operation> find_operation(std::string_view id,
                                                          api_key const& key) const;

    /// The type of that name, or nothing.
    [[nodiscard]] offered_type const* find_type(std::string_view name) const;
    [[nodiscard]] std::string type_names() const;
    /// What `offered_type::path_member` is of a type, or would be of one that is not offered any
    /// more. Lives as long as the service.
    [[nodiscard]] std::string_view path_member(std::string_view type) const;
    /// All of them, by name.
    [[nodiscard]] std::map<std::string, offered_type, std::less<>> const& types() const noexcept
    {
        return types_;
    }

private:
    [[nodiscard]] api_key const* authenticate(std::string_view secret) const;
    [[nodiscard]] result<std::unique_ptr<operation>> make(request_head const& head,
                                                          looked_up found);

    engine& engine_;
    std::span<route const> const routes_;
    std::map<std::string, offered_type, std::less<>> types_;
    server_options const& options_;
    event_hub events_;
    std::shared_ptr<cancel_history> const cancels_;
    shown_batches dry_runs_;
    time_point const started_at_ = std::chrono::system_clock::now();
    std::shared_ptr<idempotency_keys> keys_under_way_ = std::make_shared<idempotency_keys>();
    std::shared_ptr<upload_quota> const uploads_;
    std::atomic<bool> stopping_{false};
    std::mutex mutex_;
    std::atomic<bool> closed_{false}; // set under mutex_
};

} // namespace belay::http

#endif
