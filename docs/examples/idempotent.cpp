// A request that is repeated makes one batch.
#include <belay/belay.hpp>

#include <iostream>
#include <string>

namespace {

belay::recorded_batch order(belay::engine& engine, std::string const& key, std::string const& input)
{
    return engine.submit({.type = "echo",
                          .inputs = {input},
                          .owner = "ann",
                          .idempotency = belay::idempotency{.key = key, .digest = input}});
}

} // namespace

int main()
{
    belay::engine engine;
    engine.define({.name = "echo",
                   .body = [](std::string_view input, belay::job&) { return std::string(input); }});
    auto const first = order(engine, "order 17", "books");
    auto const repeat = order(engine, "order 17", "books");
    std::cout << first.id() << '\n' << repeat.id() << '\n';

    try {
        (void)order(engine, "order 17", "shoes");
    } catch (belay::error const& conflict) {
        std::cout << conflict.what() << '\n';
        return conflict.code() == belay::errc::idempotency_conflict && first.id() == repeat.id() ? 0
                                                                                                 : 1;
    }
    return 1;
}
