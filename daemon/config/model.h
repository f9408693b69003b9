// SPDX-License-Identifier: Apache-2.0
#pragma once
// The model: what the core reads of a configuration, as plain structs whose defaults are the
// contract's. load_*.cc fill them, check.cc checks across them, the snapshot is built from them.
// What modules read
// ([pool.X.affinity] and the like) is not here: PoolModel::settings is their door to it.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/address.h"
#include "daemon/base/clock.h"
#include "daemon/base/proxy_version.h"
#include "daemon/config/reader.h"
#include "daemon/config/source.h"

namespace limpet {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };
enum class LogFormat : std::uint8_t { kText, kJson };
enum class AccessLogFormat : std::uint8_t { kJson, kCombined, kOff };
enum class TlsVersion : std::uint8_t { k12, k13 };
enum class ClientAuth : std::uint8_t { kOff, kOptional, kRequired };
enum class Preset : std::uint8_t { kWeb, kStrict, kMcp, kAzure };
enum class ReplicaProtocol : std::uint8_t { kHttp1, kHttp2, kAuto };
enum class ForwardHost : std::uint8_t { kClient, kReplica };
enum class ReplicaState : std::uint8_t { kReady, kDrain, kDown };
enum class DiscoveryType : std::uint8_t { kStatic, kDns, kFile };

/// [daemon]
struct DaemonModel {
  std::optional<std::uint32_t> workers;  ///< nothing: one per usable core
  bool pin = true;
  std::string user = "limpet";
  std::string state_dir = "/var/lib/limpet";
  Duration drain_timeout = std::chrono::seconds(30);
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kText;
};

/// [admin]
struct AdminModel {
  Address bind;        ///< empty: no admin listener
  std::string socket;  ///< "": no control socket
  Position where;      ///< of `bind`
};

/// [access_log]
struct AccessLogModel {
  AccessLogFormat format = AccessLogFormat::kJson;
  std::string path = "stdout";  ///< stdout, stderr, syslog, or a file
};

/// [keys]
struct KeysModel {
  std::string file;  ///< "": state_dir/affinity.keys
};

enum class FloodAnswer : std::uint8_t { kEnforce, kReport };

/// [limits.http2_floods]: what one HTTP/2 connection may do in one window; 0: no limit.
struct Http2FloodsModel {
  FloodAnswer mode = FloodAnswer::kEnforce;
  Duration window = std::chrono::seconds(10);
  std::uint32_t resets = 200;
  std::uint32_t provoked_resets = 100;
  std::uint32_t continuations = 16;
  std::uint32_t settings = 50;
  std::uint32_t pings = 100;
  std::uint32_t empty_data = 100;
  std::uint32_t priorities = 400;
  std::uint32_t other_frames = 1000;
  std::uint64_t connection_bytes = 1024 * 1024;
};

/// [limits]
struct LimitsModel {
  std::optional<std::uint64_t> connections;  ///< nothing: from the descriptor limit
  std::uint64_t connections_per_client = 0;  ///< 0: no limit
  std::uint64_t request_line_bytes = 8 * 1024;
  std::uint64_t header_bytes = 32 * 1024;
  std::uint64_t header_fields = 100;
  std::uint64_t http2_streams = 100;
  std::uint64_t buffer_bytes = 64 * 1024;
  std::uint64_t request_body_bytes = 0;  ///< 0: no limit
  Http2FloodsModel http2_floods;
};

/// [timeouts]
struct TimeoutsModel {
  Duration request_head = std::chrono::seconds(10);
  Duration client_idle = std::chrono::seconds(75);
  Duration client_stall = std::chrono::seconds(30);
  Duration connect = std::chrono::seconds(2);
  Duration response_head = std::chrono::seconds(60);
  Duration response_body = std::chrono::seconds(60);
  Duration stream_idle = kForever;
  Duration replica_idle = std::chrono::seconds(60);
};

/// [pool.NAME.timeouts]: the global ones where the pool and its preset are silent.
struct PoolTimeoutsModel {
  Duration connect = std::chrono::seconds(2);
  Duration response_head = std::chrono::seconds(60);
  Duration response_body = std::chrono::seconds(60);
  Duration stream_idle = kForever;
  Duration replica_idle = std::chrono::seconds(60);
};

/// One entry of a listener's `bind`: an address, or the name of a socket that systemd passes.
struct BindModel {
  std::string text;          ///< as written
  Address address;           ///< empty for a socket of systemd
  std::string systemd_name;  ///< "web" of "systemd:web"
  Position where;

  [[nodiscard]] bool is_systemd() const noexcept { return !systemd_name.empty(); }
};

struct CertificateModel {
  std::string cert;
  std::string key;
  std::string ocsp;  ///< "": no staple
  ConfigReader settings;
};

/// `tickets` of [listener.tls]
struct TicketsModel {
  Duration rotate = std::chrono::hours(12);
  std::string file;  ///< "": keys of its own, rotated
};

/// [listener.tls]
struct TlsModel {
  std::vector<CertificateModel> certificates;
  TlsVersion min_version = TlsVersion::k12;
  std::string client_ca;
  ClientAuth client_auth = ClientAuth::kOff;
  TicketsModel tickets;
  Duration handshake_timeout = std::chrono::seconds(10);
  std::uint64_t handshakes_max = 0;  ///< under way at once in one worker; 0: no limit
  bool ktls = false;
  ConfigReader settings;
};

/// [[listener]]
struct ListenerModel {
  std::string name;
  std::vector<BindModel> bind;
  bool proxy_protocol = false;
  std::vector<Network> trusted;
  bool http2 = true;
  std::optional<TlsModel> tls;
  ConfigReader settings;
  Position where;
};

struct RedirectModel {
  std::string to;
  std::uint16_t status = 308;
};

struct RespondModel {
  std::uint16_t status = 404;
  std::string body;
};

/// [[route]]: exactly one of pool, redirect and respond is set.
struct RouteModel {
  std::string host = "*";  ///< in lower case
  std::string path = "/";  ///< a prefix of whole segments, without "/" at its end unless it is "/"
  std::string pool;
  std::optional<RedirectModel> redirect;
  std::optional<RespondModel> respond;
  ConfigReader settings;
  Position where;
};

/// One replica of a static pool.
struct ReplicaModel {
  std::string id;
  Address address;
  std::uint32_t weight = 1;
  std::string revision;
  bool backup = false;
  ReplicaState state = ReplicaState::kReady;
  Position where;     ///< of the address
  Position id_where;  ///< of the id
};

/// [pool.NAME.discovery]
struct DiscoveryModel {
  DiscoveryType type = DiscoveryType::kStatic;
  std::string name;  ///< dns: host:port
  std::string path;  ///< file
  ConfigReader settings;
};

/// [pool.NAME.tls]: TLS to the replicas.
struct ReplicaTlsModel {
  bool enabled = false;
  std::string ca = "system";
  std::string server_name;
  std::string cert;
  std::string key;
  ConfigReader settings;
};

/// [pool.NAME]
struct PoolModel {
  std::string name;
  Preset preset = Preset::kWeb;
  std::vector<std::string> chain;  ///< names of modules, not yet checked
  std::vector<ReplicaModel> replicas;
  ReplicaProtocol protocol = ReplicaProtocol::kHttp1;
  ForwardHost forward_host = ForwardHost::kClient;
  ProxyVersion send_proxy_protocol = ProxyVersion::kNone;
  std::vector<std::pair<std::string, std::int64_t>>
      revisions;  ///< shares of new sessions; empty: no split
  DiscoveryModel discovery;
  ReplicaTlsModel tls;
  PoolTimeoutsModel timeouts;
  ConfigReader settings;  ///< the pool's table; a module reads settings.table("affinity")
  Position where;
};

/// [[module]]: an out-of-tree module.
struct ModuleModel {
  std::string name;
  std::string path;
  ConfigReader settings;
  Position where;
};

/// Everything the core knows of one configuration.
struct Model {
  DaemonModel daemon;
  AdminModel admin;
  AccessLogModel access_log;
  KeysModel keys;
  LimitsModel limits;
  TimeoutsModel timeouts;
  std::vector<ListenerModel> listeners;
  std::vector<RouteModel> routes;
  std::vector<PoolModel> pools;
  std::vector<ModuleModel> modules;
};

}  // namespace limpet
