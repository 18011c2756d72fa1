// Connects session/ with control/, which never see each other.
// Thread rule: one Bridge per session, on its core.
#pragma once
#include <memory>

#include "control/commands.h"
#include "control/store.h"
#include "session/commands.h"

namespace shoal::app {

std::unique_ptr<session::Commands> make_bridge(control::Store& store);

}  // namespace shoal::app
