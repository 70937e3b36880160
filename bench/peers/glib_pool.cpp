// GLib's GThreadPool, whose threads all pools share, and a GCancellable that each job looks at before it begins and its body asks;
// after that g_thread_pool_free() with `immediate` throws away what has not begun, and waits.
#include "cancelbench/peer.hpp"

#include <gio/gio.h>

#include <atomic>
#include <string>
#include <vector>

using namespace belay::cancelbench;

namespace {

/// The index of a job as a pointer, which a pool wants not to be null.
gpointer to_pointer(std::uint64_t index)
{
    return reinterpret_cast<gpointer>(index + 1);
}
std::uint64_t to_index(gpointer pointer)
{
    return reinterpret_cast<std::uint64_t>(pointer) - 1;
}

class pool_run final : public run {
public:
    pool_run(request const& request, std::size_t workers, notes& notes)
        : request_(request), notes_(notes), cancellable_(g_cancellable_new()),
          pool_(g_thread_pool_new(
              [](gpointer job, gpointer self) { static_cast<pool_run*>(self)->work(to_index(job)); },
              this, static_cast<gint>(workers), FALSE, nullptr))
    {
        for (std::uint64_t index = 0; index != request.jobs; ++index)
            g_thread_pool_push(pool_, to_pointer(index), nullptr);
    }
    ~pool_run() override { g_object_unref(cancellable_); }

    void cancel() override { g_cancellable_cancel(cancellable_); }
    void wait() override { g_thread_pool_free(pool_, TRUE, TRUE); }

private:
    void work(std::uint64_t index)
    {
        if (g_cancellable_is_cancelled(cancellable_))
            return;
        poll_body(notes_, index, request_.body_ns, request_.poll_ns,
                  [&] { return g_cancellable_is_cancelled(cancellable_) != FALSE; });
    }

    request const request_;
    notes& notes_;
    GCancellable* const cancellable_;
    GThreadPool* const pool_;
};

class pool_library final : public library {
public:
    [[nodiscard]] introduction introduce() const override
    {
        return {.peer = "GLib GThreadPool",
                .version = std::to_string(glib_major_version) + "." +
                           std::to_string(glib_minor_version) + "." +
                           std::to_string(glib_micro_version),
                .scripts = {"cancel", "throughput", "crash"},
                .bodies = {"poll"},
                .jobs_max = 1'000'000};
    }

    std::unique_ptr<run> start(request const& request, notes& notes) override
    {
        return std::make_unique<pool_run>(request, workers_apart(request), notes);
    }

    void complete(request const& request, answer& found) override
    {
        struct shared {
            std::int64_t spins;
            kept_indices indices;
        } with{request.body_ns, kept_indices(request.jobs)};
        found.called = now_ns();
        auto* const pool = g_thread_pool_new(
            [](gpointer job, gpointer data) {
                auto& shared_with = *static_cast<shared*>(data);
                spin(shared_with.spins);
                shared_with.indices.keep(to_index(job));
            },
            &with, static_cast<gint>(request.workers), FALSE, nullptr);
        for (std::uint64_t index = 0; index != request.jobs; ++index)
            g_thread_pool_push(pool, to_pointer(index), nullptr);
        g_thread_pool_free(pool, FALSE, TRUE);
        found.awake = now_ns();
        found.finished = with.indices.count();
    }
};

} // namespace

int main()
{
    pool_library library;
    return speak(library);
}
