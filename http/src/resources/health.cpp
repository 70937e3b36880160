// GET /healthz: the server is alive.
#include "../answers.hpp"
#include "resource.hpp"

namespace belay::http {

made_operation get_health(admitted)
{
    return answer_with(succeeded(200, {}, {{"status", "ok"}}));
}

} // namespace belay::http
