// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/session_record.h"

#include <utility>

#include "modules/mcp/json.h"

namespace limpet::mcp {

std::optional<ServerFacts> read_initialize_result(std::string_view result) {
  std::vector<JsonMember> members;
  if (!read_members(result, members)) return std::nullopt;
  ServerFacts facts;
  facts.protocol_version = text_of(members, "protocolVersion");
  if (facts.protocol_version.empty()) return std::nullopt;
  const JsonItem* capabilities = find(members, "capabilities");
  facts.capabilities = "{}";
  if (capabilities != nullptr && capabilities->kind == JsonKind::kObject)
    facts.capabilities = capabilities->raw;
  std::vector<JsonMember> info;
  const JsonItem* server = find(members, "serverInfo");
  if (server != nullptr && read_members(server->raw, info)) {
    facts.name = text_of(info, "name");
    facts.version = text_of(info, "version");
  }
  return facts;
}

std::shared_ptr<const SessionBirth> make_birth(const RpcMessage& request, std::string_view body,
                                               std::string_view result, const Presented& by,
                                               std::string_view target) {
  if (request.kind != RpcKind::kRequest || request.method != RpcMethod::kInitialize) return nullptr;
  std::optional<ServerFacts> server = read_initialize_result(result);
  if (!server) return nullptr;
  auto birth = std::make_shared<SessionBirth>();
  birth->initialize = body;
  birth->request_id = request.id;
  birth->client_name = request.client_name;
  birth->client_version = request.client_version;
  birth->server = *std::move(server);
  birth->by = by;
  birth->target = target;
  return birth;
}

std::size_t SessionRecord::bytes() const noexcept {
  std::size_t total =
      sizeof(SessionRecord) + home.replica.size() + home.original_id.size() + level.size();
  for (const std::string& uri : subscriptions)
    total += sizeof(std::string) + uri.size();
  if (birth == nullptr) return total;
  return total + sizeof(SessionBirth) + birth->initialize.size() + birth->request_id.size() +
         birth->target.size() + birth->client_name.size() + birth->client_version.size() +
         birth->server.protocol_version.size() + birth->server.capabilities.size() +
         birth->server.name.size() + birth->server.version.size();
}

bool is_same_life(const SessionHome& home, WallSeconds last_dead,
                  std::uint64_t incarnation) noexcept {
  if (home.incarnation != 0 && incarnation != 0) return home.incarnation == incarnation;
  return home.since > last_dead;
}

bool may_carry_for(const SessionBirth& birth, const Presented& presented, Denial denial) noexcept {
  if (birth.by.principal != 0 || presented.principal != 0)
    return birth.by.principal == presented.principal;
  if (birth.by.credential == presented.credential) return true;
  // Somebody without any credential must not take over what was opened with one.
  return denial == Denial::kReplicaGone && birth.by.credential != 0 && presented.credential != 0;
}

}  // namespace limpet::mcp
