// Asio compiled once for the whole program, by the program.
#include <boost/asio/impl/src.hpp>
