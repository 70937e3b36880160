#include "parts.hpp"

int main()
{
    return runs_a_batch() && stops_coroutines() && uses_asio_elsewhere() && serves_over_http() ? 0
                                                                                               : 1;
}
