// Starting and watching other programs for the development cluster: initdb, pg_ctl, the router.
// PostgreSQL does not run as root, so a command may be given another user.
// Thread rule: one thread; nothing else may run in this process when it forks.
#pragma once
#include <sys/types.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace shoal::surface {

struct Command {
  std::vector<std::string> argv;  // argv[0] is a path
  std::string user;               // empty: the caller's
  std::string directory = "/";    // working directory
  std::string output;             // file that standard output and error are appended to
  bool own_session = false;       // true: it outlives this terminal
};

// Variables that begin with PG are not inherited, so that a caller's PGHOST can't lead it astray.
Result<pid_t> start(const Command& command);
// Waits for a child. The error holds the last lines of `output`.
Result<> wait_for(pid_t child, const Command& command);
Result<> run(const Command& command);
// True when a child of this process has ended; it is then reaped.
bool has_ended(pid_t child);

// True when `user` can enter the directory.
bool can_enter(const std::string& directory, const std::string& user);

// True while the process exists (a zombie does not count) and its command line holds `needle`.
bool is_running(pid_t pid, std::string_view needle);
// True when the program file of a process was replaced or removed since it started.
bool is_outdated(pid_t pid);
// SIGTERM, then SIGKILL at the timeout; returns when it is gone.
void stop(pid_t pid, std::string_view needle, std::chrono::milliseconds timeout);

std::string last_lines(const std::string& file, std::size_t count);
std::string own_program();  // path of this binary

}  // namespace shoal::surface
