// Jobs that have a file each, which were brought along with their batch.
#include <belay/belay.hpp>

#include <iostream>
#include <string>

int main()
{
    belay::engine engine;
    engine.define({.name = "size", .body = [](std::string_view, belay::job& job) {
                       auto const file = job.input_file();
                       return std::to_string(file ? file->size() : 0);
                   }});

    auto draft = engine.draft({.type = "size"});
    auto files = engine.make_upload();
    for (std::string_view const bytes : {"one", "", "three"}) {
        files.begin_file();
        files.write(bytes);
        draft.add("");
    }
    draft.attach(std::move(files));
    auto const batch = draft.submit();

    batch.wait();
    std::string sizes;
    for (auto const& [index, size] : batch.results())
        sizes += size + ' ';
    std::cout << sizes << '\n';
    return sizes == "3 0 5 " ? 0 : 1;
}
