// What the programs here do, a file each.
#ifndef PARTS_HPP
#define PARTS_HPP

bool runs_a_batch();
bool refuses_what_is_wrong();
bool stops_coroutines();
bool uses_asio_elsewhere();
bool serves_over_http();

#endif
