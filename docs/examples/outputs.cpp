// Jobs that leave a file each, beside what they return: one by its body, one by a program.
#include <belay/belay.hpp>

#include <iostream>
#include <string>

namespace {

std::string output_of(belay::recorded_batch const& batch)
{
    batch.wait();
    std::string bytes;
    if (auto const output = batch.open_output(0))
        output->read(0, output->size(), bytes);
    return bytes;
}

} // namespace

int main()
{
    belay::engine engine;
    engine.define({.name = "lines", .body = [](std::string_view, belay::job& job) {
                       for (int i = 0; i != 3; ++i)
                           job.write_output("line " + std::to_string(i) + '\n');
                       return std::string("3");
                   }});
    engine.define({.name = "upper",
                   .process = belay::process_type{
                       .command = [](std::string_view input, belay::process_job const&) {
                           return belay::command{.arguments = {"tr", "a-z", "A-Z"},
                                                 .standard_input = std::string(input)};
                       }}});

    belay::batch_spec lines{.type = "lines"};
    lines.inputs.push_back("");
    belay::batch_spec upper{.type = "upper"};
    upper.inputs.push_back("hello\n");

    auto const written = output_of(engine.submit(std::move(lines)));
    auto const printed = output_of(engine.submit(std::move(upper)));
    std::cout << written << printed;
    return written == "line 0\nline 1\nline 2\n" && printed == "HELLO\n" ? 0 : 1;
}
