// SPDX-License-Identifier: Apache-2.0
#pragma once
// ReplicaReach: how the replicas of a pool are reached: protocol, TLS, PROXY header. Part of a
// snapshot; the slots (connection_cache.h) act upon it.

#include <memory>

#include "daemon/base/proxy_version.h"
#include "daemon/config/model.h"
#include "daemon/net/tls_client.h"

namespace limpet {

struct ReplicaReach {
  ReplicaProtocol protocol = ReplicaProtocol::kHttp1;
  ProxyVersion proxy_header = ProxyVersion::kNone;
  std::shared_ptr<const TlsClientContext> tls;  ///< null: plain
};

}  // namespace limpet
