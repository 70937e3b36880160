// Runs single jobs of a built-in type through a real engine.
#ifndef BELAY_TESTS_SUPPORT_TYPE_RUNNER_HPP
#define BELAY_TESTS_SUPPORT_TYPE_RUNNER_HPP

#include <belay/engine.hpp>
#include <belay/http/job_type.hpp>

#include <boost/json/parse.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

namespace belay::test {

/// How a job ended.
struct ended_job {
    job_status status;
    std::string output; ///< what it returned; empty if that is nothing
    std::optional<std::string> left; ///< the bytes that it left as its output
};

/// An engine of one worker that knows one type.
class type_runner {
public:
    explicit type_runner(http::offered_type type) : type_(std::move(type))
    {
        engine_.define(type_.type);
    }

    /// What the schema makes of an input: its long form, or `field: message`.
    [[nodiscard]] std::string check(std::string_view json) const
    {
        auto const checked = type_.check(boost::json::parse(json));
        return checked ? *checked : checked.error().field + ": " + checked.error().message;
    }

    /// Hands bytes to the body as they are.
    recorded_batch start(std::string_view bytes)
    {
        batch_spec spec{.type = type_.type.name, .inputs = {}};
        spec.inputs.push_back(bytes);
        return engine_.submit(std::move(spec));
    }

    ended_job run(std::string_view bytes) { return wait(start(bytes)); }

    static ended_job wait(recorded_batch const& batch)
    {
        BOOST_REQUIRE(batch.wait_for(deadline));
        ended_job ended{batch.job(0), std::string(batch.output(0).value_or("")), std::nullopt};
        if (auto const left = batch.open_output(0))
            left->read(0, left->size(), ended.left.emplace());
        return ended;
    }

    /// Waits until the job tells of progress.
    static void wait_for_progress(recorded_batch const& batch)
    {
        auto const end = std::chrono::steady_clock::now() + deadline;
        while (batch.job(0).progress.value_or(0) <= 0) {
            BOOST_REQUIRE(batch.job(0).state <= job_state::running);
            BOOST_REQUIRE((std::chrono::steady_clock::now() < end));
            std::this_thread::yield();
        }
    }

private:
    static constexpr std::chrono::seconds deadline{60};

    http::offered_type type_;
    engine engine_{engine_options{.workers = 1}};
};

} // namespace belay::test

#endif
