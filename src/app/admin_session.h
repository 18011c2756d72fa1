// The admin console: a client of the virtual database `shoal`.
// Thread rule: runs on the client's core; asks the others by messages.
#pragma once
#include "app/router.h"
#include "session/login.h"
#include "surface/admin.h"

namespace shoal::app {

// What all cores know; asked from `unit`'s core.
io::Task<surface::AdminFacts> admin_facts(Router& router, Router::Unit& unit);

io::Task<> run_admin_session(Router& router, Router::Unit& unit, session::ClientChannel channel,
                             session::ClientIdentity identity);

}  // namespace shoal::app
