// SPDX-License-Identifier: Apache-2.0
#pragma once
// ReplicaSide: what the worker sees of a connection to a replica, whatever it speaks and however
// far it has come. Neighbours: dialler.h comes first where there is TLS or HTTP/2, then
// replica_connection.h or http2_replica.h.

#include "daemon/base/list.h"

namespace limpet {

/// A connection to a replica, one of the worker's.
/// Lifetime: buried when closed.
class ReplicaSide : public ListNode<ReplicaSide> {
 public:
  ReplicaSide() = default;
  ReplicaSide(const ReplicaSide&) = delete;
  ReplicaSide& operator=(const ReplicaSide&) = delete;

  /// Closes it; nobody is told.
  virtual void drop() = 0;

 protected:
  ~ReplicaSide() = default;
};

}  // namespace limpet
