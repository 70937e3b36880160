#include "parts.hpp"

int main()
{
    return runs_a_batch() && refuses_what_is_wrong() && stops_coroutines() && uses_asio_elsewhere()
               ? 0
               : 1;
}
