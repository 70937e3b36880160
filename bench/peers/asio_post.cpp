// Boost.Asio's thread_pool: asio::post for each job, and a std::stop_token that each looks at before it begins and
// its body asks. Asio itself can't take back what was posted.
#include "cancelbench/peer.hpp"

#include "suite/asio_jobs.hpp"

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

class post_library final : public library {
public:
    [[nodiscard]] introduction introduce() const override
    {
        return {.peer = "asio::post and stop_token",
                .version = "Boost " + std::to_string(BOOST_VERSION / 100000) + "." +
                           std::to_string(BOOST_VERSION / 100 % 1000),
                .scripts = {"cancel", "throughput", "crash"},
                .bodies = {"poll"},
                .jobs_max = 10'000'000};
    }

    std::unique_ptr<run> start(request const& request, notes& notes) override
    {
        return std::make_unique<post_run>(pool_for(request.workers), request, notes);
    }

    std::int64_t complete(request const& request) override
    {
        std::vector<std::uint64_t> values(request.jobs, request.jobs);
        belay::bench::asio_jobs run(pool_for(request.workers), request.jobs,
                                    [&values, spins = request.body_ns](std::uint64_t index,
                                                                       std::stop_token const&) {
                                        spin(spins);
                                        values[index] = index;
                                    });
        run.wait();
        std::int64_t found = 0;
        for (std::uint64_t index = 0; index != request.jobs; ++index)
            found += values[index] == index ? 1 : 0;
        return found;
    }

private:
    boost::asio::thread_pool& pool_for(std::size_t workers)
    {
        if (workers_ != workers)
            pool_.emplace(workers_ = workers);
        return *pool_;
    }

    std::size_t workers_ = 0;
    std::optional<boost::asio::thread_pool> pool_;
};

} // namespace

int main()
{
    post_library library;
    return speak(library);
}
