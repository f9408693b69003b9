// SPDX-License-Identifier: Apache-2.0
#pragma once
// Codec: the protocol of one connection, a closed choice. Each version is one alternative of the
// variant; the connection (proxy/connection.h) asks which it has.

#include <variant>

#include "daemon/http/http1_codec.h"
#include "daemon/http/http2_codec.h"

namespace limpet {

using Codec = std::variant<Http1Codec, Http2Codec>;

}  // namespace limpet
