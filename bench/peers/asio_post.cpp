// Boost.Asio's thread_pool: asio::post for each job, and a std::stop_token that each looks at before it begins and
// its body asks. Either what was posted drains, and the pool stays for the next run, or, with the word `stop`,
// thread_pool::stop() drops it, and each run has a pool of its own.
#include "cancelbench/peer.hpp"

#include "suite/asio_jobs.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/version.hpp>

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

using namespace belay::cancelbench;

namespace {

using body = std::function<void(std::uint64_t, std::stop_token const&)>;

class post_run final : public run {
public:
    post_run(boost::asio::thread_pool& pool, request const& request, notes& notes)
        : jobs_(pool, request.jobs,
                [&notes, body = request.body_ns, poll = request.poll_ns](
                    std::uint64_t index, std::stop_token const& token) {
                    poll_body(notes, index, body, poll, [&] { return token.stop_requested(); });
                })
    {
    }
    void cancel() override { jobs_.request_stop(); }
    void wait() override { jobs_.wait(); }

private:
    belay::bench::asio_jobs<body> jobs_;
};

/// The stop of a pool throws away what has not begun, when the pool is destroyed.
class stop_run final : public run {
public:
    stop_run(request const& request, std::size_t workers, notes& notes) : pool_(workers)
    {
        for (std::uint64_t index = 0; index != request.jobs; ++index)
            boost::asio::post(pool_, [this, &notes, index, body = request.body_ns, poll = request.poll_ns] {
                poll_body(notes, index, body, poll, [&] { return token_.stop_requested(); });
            });
    }
    void cancel() override
    {
        source_.request_stop();
        pool_.stop();
    }
    void wait() override { pool_.join(); }

private:
    std::stop_source source_;
    std::stop_token const token_ = source_.get_token();
    boost::asio::thread_pool pool_;
};

class post_library final : public library {
public:
    explicit post_library(bool stops) : stops_(stops) {}

    [[nodiscard]] introduction introduce() const override
    {
        return {.peer = stops_ ? "asio::thread_pool::stop" : "asio::post and stop_token",
                .version = "Boost " + std::to_string(BOOST_VERSION / 100000) + "." +
                           std::to_string(BOOST_VERSION / 100 % 1000),
                .scripts = {"cancel", "throughput", "crash"},
                .bodies = {"poll"},
                .jobs_max = 10'000'000};
    }

    std::unique_ptr<run> start(request const& request, notes& notes) override
    {
        if (!stops_)
            return std::make_unique<post_run>(pool_for(request.workers), request, notes);
        return std::make_unique<stop_run>(request, workers_apart(request), notes);
    }

    void complete(request const& request, answer& found) override
    {
        kept_indices indices(request.jobs);
        auto& pool = pool_for(request.workers);
        found.called = now_ns();
        belay::bench::asio_jobs run(pool, request.jobs,
                                    [&indices, spins = request.body_ns](std::uint64_t index,
                                                                       std::stop_token const&) {
                                        spin(spins);
                                        indices.keep(index);
                                    });
        run.wait();
        found.awake = now_ns();
        found.finished = indices.count();
    }

private:
    boost::asio::thread_pool& pool_for(std::size_t workers)
    {
        if (workers_ != workers)
            pool_.emplace(workers_ = workers);
        return *pool_;
    }

    bool const stops_;
    std::size_t workers_ = 0;
    std::optional<boost::asio::thread_pool> pool_;
};

} // namespace

int main(int argc, char** argv)
{
    post_library library(argc > 1 && argv[1] == std::string("stop"));
    return speak(library);
}
