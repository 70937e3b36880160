// A request that is repeated makes one batch.
#include <belay/belay.hpp>

#include <iostream>
#include <stdexcept>
#include <string>

namespace {

belay::recorded_batch find_or_submit(belay::engine& engine, std::string const& key,
                                     std::string const& input)
{
    if (auto const made = engine.find_idempotent("ann", key)) {
        if (made->digest != input)
            throw std::invalid_argument("the key stands for another request");
        return engine.find(made->batch_id).value();
    }
    belay::batch_spec spec{.type = "echo",
                           .owner = "ann",
                           .idempotency = belay::idempotency{.key = key, .digest = input}};
    spec.inputs.push_back(input);
    return engine.submit(std::move(spec));
}

} // namespace

int main()
{
    belay::engine engine;
    engine.define({.name = "echo",
                   .body = [](std::string_view input, belay::job&) { return std::string(input); }});
    auto const first = find_or_submit(engine, "order 17", "books");
    auto const repeat = find_or_submit(engine, "order 17", "books");

    std::cout << first.id() << '\n' << repeat.id() << '\n';
    return first.id() == repeat.id() ? 0 : 1;
}
