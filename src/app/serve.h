// Runs one router until it is told to stop: SIGTERM and SIGINT end it politely, SIGHUP reloads.
// Thread rule: called once, on the main thread.
#pragma once
#include "app/settings.h"

namespace shoal::app {

// Returns the exit status of the process. Errors go to standard error in one line.
int serve(const Settings& settings);

}  // namespace shoal::app
