// SPDX-License-Identifier: Apache-2.0
#pragma once
// status: the words for status codes (RFC 9110 section 15 and the registry).
// status_of(Fault) stands in stream_event.h and is defined beside them. Not the answers that limpet
// gives under these codes: local_answer.h.

#include <cstdint>
#include <string_view>

namespace limpet {

/// The reason phrase of `status`; empty for one that is not registered.
[[nodiscard]] std::string_view reason_phrase(std::uint16_t status) noexcept;

}  // namespace limpet
