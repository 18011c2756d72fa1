// Boost.JSON's own source, compiled once for the whole product: every room above links this one.
#include <boost/json/src.hpp>
