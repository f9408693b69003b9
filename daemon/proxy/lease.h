// SPDX-License-Identifier: Apache-2.0
#pragma once
// Lease: the link between a relay and a stream of a replica's connection. Whichever end dies first
// cuts it for both, so neither ever holds a dangling pointer. It moves no bytes.

namespace limpet {

class Relay;
class ReplicaConnection;

/// The relay's end of the link; the connection keeps a pointer to it.
/// Lifetime: a member of its relay.
class Lease {
 public:
  explicit Lease(Relay& holder) noexcept : holder_(holder) {}
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ~Lease() { cut(); }

  /// The connection, or null when there is none.
  [[nodiscard]] ReplicaConnection* connection() const noexcept { return connection_; }
  [[nodiscard]] Relay& holder() const noexcept { return holder_; }
  /// Lets go of the connection; it is told nothing.
  void cut() noexcept {
    if (connection_ != nullptr) *place_ = nullptr;
    connection_ = nullptr;
    place_ = nullptr;
  }

 private:
  friend class ReplicaConnection;
  /// Called by the connection: `place` is where it keeps its pointer to this lease.
  void tie(ReplicaConnection& connection, Lease*& place) noexcept {
    cut();
    connection_ = &connection;
    place_ = &place;
    place = this;
  }

  Relay& holder_;
  ReplicaConnection* connection_ = nullptr;
  Lease** place_ = nullptr;
};

}  // namespace limpet
