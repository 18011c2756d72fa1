// Reading and writing dev.toml; default folders.
#include "surface/dev_state.h"

#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "keys/digest.h"
#include "surface/process.h"

namespace shoal::surface {
namespace {

namespace fs = std::filesystem;

std::string state_file(const std::string& dir) {
  return dir + "/dev.toml";
}

Error damaged(const std::string& dir) {
  return make_error("58000", fmt::format("{} is damaged", state_file(dir)), {},
                    "remove the cluster with shoal dev down --destroy");
}

std::string toml_text(const std::string& text) {
  std::ostringstream out;
  out << toml::value<std::string>(text);
  return out.str();
}

// The folder in which this binary was built: <project>/build/<preset>/shoal.
std::string project_dir() {
  const fs::path build = fs::path(own_program()).parent_path().parent_path();
  return build.filename() == "build" ? build.parent_path().string() : std::string();
}

}  // namespace

const DevShard* DevState::shard(const std::string& name) const {
  for (const DevShard& shard : shards) {
    if (shard.name == name) return &shard;
  }
  return nullptr;
}

bool has_state(const std::string& dir) {
  return fs::exists(state_file(dir));
}

Result<DevState> read_state(const std::string& dir) {
  if (!has_state(dir)) {
    return make_error("58000", fmt::format("there is no development cluster in {}", dir), {},
                      "start one with shoal dev up");
  }
  const toml::parse_result parsed = toml::parse_file(state_file(dir));
  if (!parsed) return damaged(dir);
  const toml::table& table = parsed.table();
  DevState state;
  state.dir = dir;
  state.data = table["data"].value_or("");
  state.bin = table["bin"].value_or("");
  state.user = table["user"].value_or("");
  state.port = table["port"].value_or(0);
  state.http_port = table["http_port"].value_or(0);
  const toml::array* shards = table["shard"].as_array();
  if (shards == nullptr || state.data.empty() || state.port == 0) return damaged(dir);
  for (const toml::node& node : *shards) {
    const toml::table* entry = node.as_table();
    if (entry == nullptr) return damaged(dir);
    state.shards.push_back({(*entry)["name"].value_or(std::string()), (*entry)["port"].value_or(0),
                            (*entry)["extra"].value_or(false)});
  }
  return state;
}

Result<> write_state(const DevState& state) {
  std::string text = fmt::format(
      "# Written by shoal dev; do not edit while the cluster runs.\n"
      "port = {}\nhttp_port = {}\ndata = {}\nbin = {}\nuser = {}\n",
      state.port, state.http_port, toml_text(state.data), toml_text(state.bin),
      toml_text(state.user));
  for (const DevShard& shard : state.shards) {
    text += fmt::format("\n[[shard]]\nname = {}\nport = {}\nextra = {}\n", toml_text(shard.name),
                        shard.port, shard.extra);
  }
  std::ofstream file(state_file(state.dir), std::ios::trunc);
  file << text;
  file.close();
  if (!file) return make_error("58000", fmt::format("cannot write {}", state_file(state.dir)));
  return {};
}

std::string outside_dir(const std::string& parent) {
  std::string hex;
  for (const char byte : keys::sha256(parent).substr(0, 6)) {
    hex += fmt::format("{:02x}", static_cast<unsigned>(static_cast<unsigned char>(byte)));
  }
  return "/var/lib/shoal-dev/" + hex;
}

std::string default_dir() {
  if (const char* named = std::getenv("SHOAL_DIR"); named != nullptr && *named != '\0') {
    return fs::absolute(named).lexically_normal().string();
  }
  const std::string here = fs::current_path().string();
  for (const std::string& parent : {here, project_dir()}) {
    if (parent.empty()) continue;
    for (const std::string& dir : {parent + "/.shoal", outside_dir(parent)}) {
      if (has_state(dir)) return dir;
    }
  }
  if (geteuid() == 0 && !can_enter(here, "postgres")) return outside_dir(here);
  return here + "/.shoal";
}

Result<std::string> find_postgresql() {
  std::error_code ignored;
  int newest = 0;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", ignored)) {
    const std::string name = entry.path().filename().string();
    int version = 0;
    std::from_chars(name.data(), name.data() + name.size(), version);
    if (version > newest && fs::exists(entry.path() / "bin/initdb")) newest = version;
  }
  if (newest > 0) return fmt::format("/usr/lib/postgresql/{}/bin", newest);
  std::istringstream path(std::getenv("PATH") != nullptr ? std::getenv("PATH") : "");
  for (std::string folder; std::getline(path, folder, ':');) {
    if (fs::exists(folder + "/initdb") && fs::exists(folder + "/pg_ctl")) return folder;
  }
  return make_error("58000", "PostgreSQL's server programs were not found", {},
                    "install postgresql, or name their folder with --pg-bin");
}

std::string url_of(const DevState& state) {
  return fmt::format("postgresql://app@127.0.0.1:{}/app", state.port);
}

std::string url_of(const DevShard& shard, const std::string& role) {
  return fmt::format("postgresql://{}@127.0.0.1:{}/app", role, shard.port);
}

}  // namespace shoal::surface
