#include <boost/version.hpp>

// Later versions have it only as a compiled library, which http/Jamfile then links.
#if BOOST_VERSION < 108200
#include <boost/url/src.hpp>
#endif
