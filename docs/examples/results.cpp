// A batch over a list of inputs: what its jobs gave, and what they threw.
#include <belay/belay.hpp>

#include <cstdint>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

int main()
{
    belay::engine engine;
    std::vector<std::string> words{"12", "30", "many", "-2"};
    auto const batch =
        engine.submit(std::move(words), [](std::string const& word) { return std::stoi(word); });
    auto const status = batch.wait();

    int sum = 0;
    for (auto const& [index, number] : batch.results())
        sum += number;
    std::cout << "the sum is " << sum << '\n';

    for (auto const& [index, exception] : batch.failures())
        std::cout << index << " failed\n";

    for (std::uint64_t index = 0; index != batch.size(); ++index) {
        auto const job = batch.job(index);
        std::cout << index << ": " << to_string(job.state);
        if (job.state == belay::job_state::cancelled) // then it says how it came to that
            std::cout << ", " << to_string(job.disposition);
        std::cout << '\n';
    }

    bool thrown = false;
    try {
        (void)batch.value(2);
    } catch (std::invalid_argument const&) { // what std::stoi threw
        thrown = true;
    }
    return sum == 40 && thrown && batch.exception(2) && status.jobs.failed == 1 ? 0 : 1;
}
