#include <belay/http/types.hpp>

#include <utility>

namespace belay::http {

std::vector<offered_type> built_in_types(std::shared_ptr<root_directory const> root)
{
    std::vector<offered_type> types;
    types.push_back(checksum_type(root));
    types.push_back(compress_type(std::move(root)));
    types.push_back(sleep_type());
    types.push_back(spin_type());
    return types;
}

} // namespace belay::http
