// A batch whose inputs come one by one.
#include <belay/belay.hpp>

#include <future>
#include <iostream>
#include <string>

int main()
{
    belay::engine engine;
    engine.define({.name = "square", .body = [](std::string_view input, belay::job&) {
                       auto const number = std::stoull(std::string(input));
                       return std::to_string(number * number);
                   }});

    auto draft = engine.draft({.type = "square"});
    for (int i = 0; i != 10'000; ++i) {
        if (draft.is_full()) { // the store does not keep up
            std::promise<void> room;
            draft.when_not_full([&] { room.set_value(); });
            room.get_future().wait();
        }
        draft.add(std::to_string(i));
    }
    auto const batch = draft.submit();

    batch.wait();
    std::cout << "the last is " << batch.output(9'999).value() << '\n';
    return batch.size() == 10'000 && batch.output(12) == "144" ? 0 : 1;
}
