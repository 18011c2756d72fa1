// A link shortener that chooses its node itself.
//   link-shortener nodes.conf serve [port]   the service; SIGHUP reads the file again
//   link-shortener nodes.conf plan [node]    which ids move when the node joins
//   link-shortener nodes.conf copy           bring links to their owners, joining nodes included
//   link-shortener nodes.conf clean          delete what copy has brought to its owner
#include <httplib.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <boost/json/src.hpp>
#include <cstdio>
#include <iostream>
#include <thread>

#include "links.h"

namespace {

void answer(httplib::Response& response, int status, const boost::json::object& body) {
  response.status = status;
  response.set_content(boost::json::serialize(body), "application/json");
}

void answer(httplib::Response& response, const Link& link) {
  answer(response, 200, {{"url_id", link.url_id}, {"url", link.url}, {"server", link.node}});
}

using CurrentCluster = std::atomic<std::shared_ptr<const Cluster>>;

void add_routes(httplib::Server& server, const CurrentCluster& cluster) {
  server.Post("/urls", [&](const httplib::Request& request, httplib::Response& response) {
    const std::string url = request.get_param_value("full_url");
    if (url.empty() || url.find('\0') != std::string::npos)
      return answer(response, 422, {{"detail", "full_url must be given, and without NUL"}});
    answer(response, shorten(*cluster.load(), url));
  });
  server.Get("/urls/([^/]+)", [&](const httplib::Request& request, httplib::Response& response) {
    const std::string url_id = request.matches[1];
    const auto printable = [](unsigned char c) { return c > ' ' && c < 127; };
    std::optional<Link> link;
    if (url_id.size() == kIdLength && std::all_of(url_id.begin(), url_id.end(), printable))
      link = find(*cluster.load(), url_id);
    if (!link)
      return answer(response, 404, {{"detail", "there is no URL with the id '" + url_id + "'"}});
    answer(response, *link);
  });
  server.set_exception_handler(
      [](const httplib::Request&, httplib::Response& response, std::exception_ptr failure) {
        try {
          std::rethrow_exception(failure);
        } catch (const std::exception& error) {
          std::cerr << error.what() << '\n';
          answer(response, 503, {{"detail", "a node cannot answer now"}});
        }
      });
}

int serve(const std::string& file, int port) {
  CurrentCluster cluster(Cluster::read(file, nullptr));
  httplib::Server server;
  server.set_tcp_nodelay(true);
  // A thread for each open connection, so an idle one may not stay long. What reaches the nodes is
  // bounded by their pools.
  server.set_keep_alive_timeout(1);
  server.new_task_queue = [] { return new httplib::ThreadPool(64); };
  add_routes(server, cluster);
  // Signals are waited for in one thread; all others inherit that they are blocked.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int s : {SIGHUP, SIGTERM, SIGINT}) sigaddset(&signals, s);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread control([&] {
    for (int got = 0; sigwait(&signals, &got) == 0;) {
      if (got != SIGHUP) return server.stop();
      try {
        cluster.store(Cluster::read(file, cluster.load().get()));
        std::cout << "read " << file << " again" << std::endl;
      } catch (const std::exception& error) {
        std::cerr << error.what() << "; going on as before\n";
      }
    }
  });
  const bool served = server.listen("127.0.0.1", port);
  if (!served) std::cerr << "cannot listen on port " << port << '\n';
  pthread_kill(control.native_handle(), SIGTERM);
  control.join();
  return served ? 0 : 1;
}

int report_plan(const Cluster& cluster, const std::string& new_node) {
  std::vector<std::string> nodes = cluster.all();
  if (!new_node.empty() && std::find(nodes.begin(), nodes.end(), new_node) == nodes.end())
    nodes.push_back(new_node);
  const Plan planned = plan(cluster, Ring(nodes));
  for (const Move& move : planned.moves)
    std::printf("%s %s -> %s\n", move.link.url_id.c_str(), move.link.node.c_str(), move.to.c_str());
  const double share = 100.0 * static_cast<double>(planned.moves.size()) /
                       static_cast<double>(std::max<std::size_t>(planned.links, 1));
  std::printf("%zu of %zu ids move (%.1f %%), the others stay\n", planned.moves.size(),
              planned.links, share);
  return 0;
}

int run_copy(const Cluster& cluster) {
  const Plan planned = plan(cluster, cluster.next_ring);
  const std::vector<Move> conflicts = copy(cluster, planned);
  for (const auto& [link, to] : conflicts)
    std::printf("%s: %s has another URL than %s: %s\n", link.url_id.c_str(), to.c_str(),
                link.node.c_str(), link.url.c_str());
  std::printf("%zu ids are on their owner's node\n", planned.moves.size() - conflicts.size());
  return conflicts.empty() ? 0 : 1;
}

int run_clean(const Cluster& cluster) {
  if (!cluster.joining.empty()) {
    std::cerr << "a node is still joining: make it a member and SIGHUP every service first\n";
    return 1;
  }
  std::printf("%zu old copies deleted\n", clean(cluster, plan(cluster, cluster.ring)));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const auto word = [&](std::size_t i) { return i < words.size() ? words[i] : std::string(); };
  try {
    const std::string command = word(1);
    if (command == "serve") return serve(word(0), word(2).empty() ? 5001 : std::stoi(word(2)));
    if (command == "plan") return report_plan(*Cluster::read(word(0), nullptr), word(2));
    if (command == "copy") return run_copy(*Cluster::read(word(0), nullptr));
    if (command == "clean") return run_clean(*Cluster::read(word(0), nullptr));
  } catch (const std::exception& error) {
    std::cerr << "link-shortener: " << error.what() << '\n';
    return 1;
  }
  std::cerr << "usage: link-shortener nodes.conf serve [port] | plan [node] | copy | clean\n";
  return 2;
}
