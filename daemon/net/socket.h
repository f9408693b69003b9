// SPDX-License-Identifier: Apache-2.0
#pragma once
// Sockets: listen, accept, connect, and the options limpet wants on each. Stream sockets only,
// never blocking. What bytes mean is none of this file's business; who is told of readiness is
// event/watch.h's.

#include <chrono>
#include <cstdint>
#include <string_view>

#include "daemon/base/address.h"
#include "daemon/base/fd.h"
#include "daemon/base/result.h"

namespace limpet {

/// A listening socket with SO_REUSEPORT, so that each worker has its own and the kernel spreads
/// connections. Errors: names the address, the reason and the way out (port in use, no permission).
[[nodiscard]] Result<Fd> open_listening(const Address& address, int backlog = 4096);

/// One connection from the queue of a listening socket, with `peer` filled in; closed where there
/// is none or no descriptor is left (errno tells).
[[nodiscard]] Fd accept_connection(int listening, Address& peer) noexcept;

/// How long a connection with keep_alive() may be silent before the kernel asks.
inline constexpr std::chrono::seconds kKeepAliveIdle{60};
/// Has the kernel find out within two minutes that the other side vanished without a word, also in
/// a stream that says nothing by nature. On a socket that is not TCP it does nothing.
/// Cost: four system calls.
void keep_alive(int descriptor) noexcept;

/// Begins to connect; without keep_alive(). `errno_out` is 0 or EINPROGRESS where the descriptor is
/// open, else the reason.
[[nodiscard]] Fd begin_connect(const Address& address, int& errno_out) noexcept;
/// How a connect that became writable ended: 0 or an errno.
[[nodiscard]] int connect_result(int descriptor) noexcept;
/// The local address of a socket.
[[nodiscard]] Address local_address(int descriptor) noexcept;

}  // namespace limpet
