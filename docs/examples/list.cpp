// Batches that are found again, and forgotten.
#include <belay/belay.hpp>

#include <exception>
#include <future>
#include <iostream>
#include <limits>
#include <string>

namespace {

void submit(belay::engine& engine, std::string name, std::string owner)
{
    belay::batch_spec spec{.type = "echo", .name = std::move(name), .owner = std::move(owner)};
    spec.inputs.push_back("x");
    engine.submit(std::move(spec)).wait();
}

} // namespace

int main()
{
    belay::engine engine;
    engine.define({.name = "echo",
                   .body = [](std::string_view input, belay::job&) { return std::string(input); }});
    submit(engine, "monday", "ann");
    submit(engine, "tuesday", "bob");
    submit(engine, "wednesday", "ann");

    std::string names;
    auto before = std::numeric_limits<std::uint64_t>::max();
    for (auto page = engine.list(before, 2); !page.empty(); page = engine.list(before, 2)) {
        for (auto const& batch : page)
            if (batch.owner() == "ann")
                names += batch.name() + ' ';
        before = page.back().sequence();
    }
    std::cout << names << '\n';

    auto const oldest = engine.list(2, 1).front();
    std::promise<void> forgotten;
    engine.forget(oldest, [&](std::exception_ptr) { forgotten.set_value(); });
    forgotten.get_future().wait();
    return names == "wednesday monday " && !engine.find(oldest.id()) ? 0 : 1;
}
