// fork and exec with another user's rights.
#include "surface/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <thread>

extern char** environ;

namespace shoal::surface {
namespace {

constexpr std::chrono::milliseconds kPollPause{20};

Error system_error(std::string what) {
  return make_error("58000", fmt::format("{}: {}", what, std::strerror(errno)));
}

// What a child needs to become another user, looked up before fork: afterwards only plain system
// calls are safe.
struct Identity {
  bool change = false;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  std::string home;
};

Result<Identity> identity_of(const std::string& user) {
  Identity identity;
  if (user.empty()) return identity;
  const passwd* entry = getpwnam(user.c_str());
  if (entry == nullptr) {
    return make_error("58000", fmt::format("there is no operating system user {}", user));
  }
  identity.change = entry->pw_uid != geteuid();
  identity.uid = entry->pw_uid;
  identity.gid = entry->pw_gid;
  identity.home = entry->pw_dir;
  int count = 64;
  identity.groups.resize(static_cast<std::size_t>(count));
  getgrouplist(user.c_str(), entry->pw_gid, identity.groups.data(), &count);
  identity.groups.resize(static_cast<std::size_t>(std::max(count, 0)));
  return identity;
}

bool become(const Identity& identity) {
  if (!identity.change) return true;
  return setgroups(identity.groups.size(), identity.groups.data()) == 0 &&
         setgid(identity.gid) == 0 && setuid(identity.uid) == 0;
}

std::vector<std::string> environment(const Identity& identity) {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    if (text.substr(0, 2) == "PG") continue;
    if (identity.change && text.substr(0, 5) == "HOME=") continue;
    variables.emplace_back(text);
  }
  if (identity.change) variables.push_back("HOME=" + identity.home);
  return variables;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

Result<pid_t> start(const Command& command) {
  const auto identity = identity_of(command.user);
  if (!identity) return identity.error();
  std::vector<std::string> arguments = command.argv, variables = environment(*identity);
  const std::vector<char*> argv = pointers(arguments), envp = pointers(variables);
  const std::string output = command.output.empty() ? "/dev/null" : command.output;
  const int log = open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (log < 0 || null < 0) return system_error("cannot open " + output);
  const pid_t child = fork();
  if (child == 0) {
    dup2(null, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    if (command.own_session) setsid();
    if (chdir(command.directory.c_str()) != 0 || !become(*identity)) _exit(126);
    execve(argv[0], argv.data(), envp.data());
    _exit(127);
  }
  close(log);
  close(null);
  if (child < 0) return system_error("cannot fork");
  return child;
}

Result<> wait_for(pid_t child, const Command& command) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return system_error("waitpid");
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  const std::string how = WIFSIGNALED(status) ? fmt::format("signal {}", WTERMSIG(status))
                                              : fmt::format("status {}", WEXITSTATUS(status));
  return make_error("58000", fmt::format("{} failed with {}", command.argv[0], how),
                    last_lines(command.output, 10));
}

Result<> run(const Command& command) {
  const auto child = start(command);
  if (!child) return child.error();
  return wait_for(*child, command);
}

bool has_ended(pid_t child) {
  return waitpid(child, nullptr, WNOHANG) != 0;
}

bool can_enter(const std::string& directory, const std::string& user) {
  const auto identity = identity_of(user);
  if (!identity) return false;
  const pid_t child = fork();
  if (child == 0) _exit(become(*identity) && access(directory.c_str(), X_OK) == 0 ? 0 : 1);
  int status = 1;
  return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

bool is_running(pid_t pid, std::string_view needle) {
  if (pid <= 0) return false;
  std::string line = read_file(fmt::format("/proc/{}/cmdline", pid));
  std::replace(line.begin(), line.end(), '\0', ' ');
  return !line.empty() && line.find(needle) != std::string::npos;
}

bool is_outdated(pid_t pid) {
  std::string target(4096, '\0');
  const ssize_t length =
      readlink(fmt::format("/proc/{}/exe", pid).c_str(), target.data(), target.size());
  target.resize(static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
  return target.ends_with(" (deleted)");
}

void stop(pid_t pid, std::string_view needle, std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  kill(pid, SIGTERM);
  while (is_running(pid, needle)) {
    if (std::chrono::steady_clock::now() > deadline) kill(pid, SIGKILL);
    std::this_thread::sleep_for(kPollPause);
  }
  waitpid(pid, nullptr, WNOHANG);  // in case it was our own child
}

std::string last_lines(const std::string& file, std::size_t count) {
  const std::string text = read_file(file);
  std::size_t at = text.size();
  for (std::size_t lines = 0; at > 0 && lines <= count; --at) {
    if (text[at - 1] == '\n' && at != text.size() && ++lines >= count) break;
  }
  return text.substr(at);
}

std::string own_program() {
  std::string path(4096, '\0');
  const ssize_t length = readlink("/proc/self/exe", path.data(), path.size());
  path.resize(static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
  return path;
}

}  // namespace shoal::surface
