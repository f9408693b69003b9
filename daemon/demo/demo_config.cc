// SPDX-License-Identifier: Apache-2.0
#include "daemon/demo/demo_config.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/fd.h"
#include "daemon/base/text.h"

namespace limpet::demo {
namespace {

constexpr const char* kPortVariable = "LIMPET_PORT";
constexpr const char* kAdminPortVariable = "LIMPET_ADMIN_PORT";

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

Result<std::uint16_t> port_from(const char* variable, std::uint16_t fallback) {
  const std::string value = environment(variable);
  if (value.empty()) return fallback;
  const auto port = text::parse_unsigned(value);
  if (!port || *port == 0 || *port > 65535) {
    return Error{std::string(variable) + " is \"" + text::escaped(value) +
                 "\"; a port is 1 to 65535."};
  }
  return static_cast<std::uint16_t>(*port);
}

// Binds without SO_REUSEPORT, so that a second demo of the same user is noticed too: with it, both
// would listen and share the clients.
Status check_free(std::uint16_t port, const char* variable) {
  const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(socket.number(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (::bind(socket.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    return {};
  const std::string where = "127.0.0.1:" + std::to_string(port);
  if (errno == EADDRINUSE) return Error{port_in_use_text(where, variable)};
  return Error{where + " cannot be listened on: " + std::strerror(errno) +
               ". Choose another port: " + variable + "=" +
               std::to_string(port < 1024 ? port + 8000 : port + 1) + " limpetd --demo"};
}

// A directory under /tmp may be somebody else's trap: only one that is ours alone is used.
Status make_private_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return Error{"The directory " + path + " could not be made: " + std::strerror(errno)};
  }
  struct stat facts {};
  if (::lstat(path.c_str(), &facts) != 0 || !S_ISDIR(facts.st_mode) || facts.st_uid != ::getuid() ||
      (facts.st_mode & 077) != 0) {
    return Error{
        path +
        " is not a directory that belongs to you alone (mode 0700). Remove it and try again."};
  }
  return {};
}

std::string state_dir_for(std::uint16_t port) {
  const std::string runtime = environment("XDG_RUNTIME_DIR");
  struct stat facts {};
  const bool has_runtime =
      !runtime.empty() && ::stat(runtime.c_str(), &facts) == 0 && S_ISDIR(facts.st_mode);
  std::string path =
      has_runtime ? runtime + "/limpet-demo" : "/tmp/limpet-demo-" + std::to_string(::getuid());
  if (port != DemoPlan{}.port) path += "-" + std::to_string(port);
  return path;
}

std::string quoted(const std::string& s) { return '"' + text::escaped(s) + '"'; }

// Sample replicas keep their sessions in memory, so a restarted one has lost them: incarnation is
// strict, and a lost session is stated as lost. They listen before limpet starts, so they are up,
// and a person who kills one does not want to wait for its return.
std::string pool_text(const std::string& name, const std::vector<DemoReplica>& replicas) {
  std::string toml = "\n[pool." + name + "]\npreset = " + quoted(name) + "\n";
  toml += "\n[pool." + name + ".affinity]\nincarnation = \"strict\"\nshow = true\n";
  toml += "\n[pool." + name + ".balance]\nslow_start = \"2s\"\n";
  toml +=
      "\n[pool." + name +
      ".health]\nactive = { type = \"http\", path = \"/healthz\", interval = \"1s\", "
      "timeout = \"1s\", rise = 1, fall = 2 }\npassive = { eject = \"2s\" }\ninitial = \"up\"\n";
  for (const DemoReplica& replica : replicas) {
    toml += "\n[[pool." + name + ".replica]]\nid = " + quoted(replica.id) +
            "\naddress = \"127.0.0.1:" + std::to_string(replica.port) + "\"\n";
  }
  return toml;
}

// limpetctl as the reader can call it: beside this program when it is not installed.
std::string control_program() {
  std::array<char, 4096> path{};
  const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size());
  if (length <= 0) return "limpetctl";
  const std::string program(path.data(), static_cast<std::size_t>(length));
  const std::string beside = program.substr(0, program.rfind('/')) + "/limpetctl";
  return !program.starts_with("/usr/") && ::access(beside.c_str(), X_OK) == 0 ? beside
                                                                              : "limpetctl";
}

std::string hint(std::string command, const std::string& what) {
  constexpr std::size_t kColumn = 48;
  if (!what.empty()) command.append(command.size() < kColumn ? kColumn - command.size() : 2, ' ');
  return "  " + command + what + "\n";
}

}  // namespace

Result<DemoPlan> plan_demo() {
  DemoPlan plan;
  const Result<std::uint16_t> port = port_from(kPortVariable, plan.port);
  if (!port) return port.error();
  const Result<std::uint16_t> admin_port = port_from(kAdminPortVariable, plan.admin_port);
  if (!admin_port) return admin_port.error();
  plan.port = *port;
  plan.admin_port = *admin_port;
  if (Status free = check_free(plan.port, kPortVariable); !free) return free.error();
  if (Status free = check_free(plan.admin_port, kAdminPortVariable); !free) return free.error();
  plan.state_dir = state_dir_for(plan.port);
  plan.control_socket = plan.state_dir + "/control.sock";
  if (Status made = make_private_directory(plan.state_dir); !made) return made.error();
  return plan;
}

std::string demo_config(const DemoPlan& plan, const std::vector<DemoReplica>& replicas) {
  std::string toml = "[daemon]\nuser = \"\"\npin = false\nstate_dir = " + quoted(plan.state_dir) +
                     "\ndrain_timeout = \"2s\"\n";
  toml += "\n[admin]\nbind = " + quoted(plan.admin_address()) +
          "\nsocket = " + quoted(plan.control_socket) + "\n";
  toml += "\n[access_log]\nformat = \"json\"\npath = \"stdout\"\n";
  toml += "\n[[listener]]\nname = \"demo\"\nbind = [" + quoted(plan.address()) + "]\n";
  toml += "\n[[route]]\npath = \"/mcp\"\npool = \"mcp\"\n";
  toml += "\n[[route]]\npath = \"/\"\npool = \"web\"\n";
  return toml + pool_text("web", replicas) + pool_text("mcp", replicas);
}

std::string demo_banner(const DemoPlan& plan, const std::vector<DemoReplica>& replicas) {
  const std::string url = "http://" + plan.address();
  const std::string ctl = control_program() + " --socket " + plan.control_socket;
  std::string banner = "\nlimpet is up on " + url + ", with " + std::to_string(replicas.size()) +
                       (replicas.size() == 1 ? " sample replica:" : " sample replicas:");
  for (const DemoReplica& replica : replicas) {
    banner += "\n  " + replica.id + "  127.0.0.1:" + std::to_string(replica.port) + "  process " +
              std::to_string(replica.pid);
  }
  banner += "\n\nTry, in another terminal:\n";
  banner += hint("curl -i " + url + "/whoami", "who answers, and the affinity cookie");
  banner += hint("curl -c jar -b jar " + url + "/counter", "again and again: one replica counts");
  banner += hint("curl " + url + "/counter", "without cookies: a new session each time");
  banner += hint("kill -9 PROCESS", "then count again: the session moves");
  banner += hint("curl -N " + url + "/clock", "a stream of events");
  banner += hint("curl http://" + plan.admin_address() + "/metrics", "what Prometheus reads");
  banner += hint(ctl + " replicas", "");
  banner += hint(ctl + " replica drain a", "");
  banner += "\nIn a browser: " + url + "/\n";
  banner += "MCP clients (Streamable HTTP): " + url +
            "/mcp with the tools whoami, count and echo, such as\n";
  banner += hint("npx @modelcontextprotocol/inspector --cli " + url +
                     "/mcp --transport http --method tools/list",
                 "");
  banner +=
      "\nCtrl-C ends it. Below is the access log: each line names the replica that answered, and "
      "why.\n\n";
  return banner;
}

std::string port_in_use_text(const std::string& address, const std::string& variable) {
  const std::string_view whole = address;
  const auto port = text::parse_unsigned(whole.substr(whole.rfind(':') + 1));
  const std::uint64_t other = port && *port < 65535 ? *port + 1 : 8081;
  return address + " is in use by another program. Choose another port: " + variable + "=" +
         std::to_string(other) + " limpetd --demo";
}

}  // namespace limpet::demo
