#include "cancelbench/belay_peer.hpp"

#include "suite/bare_index.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace belay::cancelbench {

namespace {

class flag_run final : public run {
public:
    flag_run(bench::bare_index& threads, request const& request, notes& notes) : threads_(threads)
    {
        threads_.start(request.jobs,
                       [&notes, body = request.body_ns, poll = request.poll_ns](
                           std::uint64_t index, std::atomic<bool> const& stop) {
                           poll_body(notes, index, body, poll,
                                     [&] { return stop.load(std::memory_order_acquire); });
                       });
    }
    void cancel() override { threads_.request_stop(); }
    void wait() override { threads_.wait(); }

private:
    bench::bare_index& threads_;
};

class flag_peer final : public library {
public:
    [[nodiscard]] introduction introduce() const override
    {
        return {.peer = "a bare flag",
                .version = "an atomic index and a flag",
                .scripts = {"cancel", "throughput", "crash"},
                .bodies = {"poll"},
                .jobs_max = 100'000'000};
    }

    std::unique_ptr<run> start(request const& request, notes& notes) override
    {
        if (!request.warm)
            return std::make_unique<flag_run>(all_.of(request.workers), request, notes);
        // Two runs at once: one has a thread to itself.
        auto& threads = request.jobs == 1 ? one_ : others_;
        return std::make_unique<flag_run>(threads.of(workers_apart(request)), request, notes);
    }

    void complete(request const& request, answer& found) override
    {
        auto& threads = all_.of(request.workers);
        kept_indices indices(request.jobs);
        found.called = now_ns();
        threads.start(request.jobs, [&indices, spins = request.body_ns](std::uint64_t index,
                                                                        std::atomic<bool> const&) {
            spin(spins);
            indices.keep(index);
        });
        threads.wait();
        found.awake = now_ns();
        found.finished = indices.count();
    }

private:
    /// The threads of the last request, or others where that had more or fewer.
    class threads {
    public:
        bench::bare_index& of(std::size_t count)
        {
            if (!threads_ || count_ != count)
                threads_ = std::make_unique<bench::bare_index>(count_ = count);
            return *threads_;
        }

    private:
        std::size_t count_ = 0;
        std::unique_ptr<bench::bare_index> threads_;
    };

    threads all_;
    threads one_;
    threads others_;
};

} // namespace

std::unique_ptr<library> make_flag_peer()
{
    return std::make_unique<flag_peer>();
}

} // namespace belay::cancelbench
