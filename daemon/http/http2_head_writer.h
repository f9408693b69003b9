// SPDX-License-Identifier: Apache-2.0
#pragma once
// http2_head_writer: hands heads and trailers to the library: pseudo-header fields first, nothing
// that speaks of one connection, lengths as the frames will bear them out. The texts are not
// copied: the frames must be made (Http2Session::stage()) before they go. Neighbours:
// http2_codec_write.cc calls it.

#include <cstdint>

#include "daemon/base/buffer.h"
#include "daemon/http/message.h"

namespace limpet {

struct Http2Session;
struct Http2Stream;

/// Whether a head ends its half of the stream.
enum class HeadEnds : std::uint8_t { kHalf, kNothing };

/// Returns the stream's number, 0 where the library takes no stream.
[[nodiscard]] std::uint32_t submit_request(Http2Session& session, Http2Stream& stream,
                                           const RequestHead& head);
/// `status` is said instead of the head's own.
void submit_response(Http2Session& session, Http2Stream& stream, const ResponseHead& head,
                     std::uint16_t status, HeadEnds ends);
void submit_informational(Http2Session& session, const Http2Stream& stream,
                          const ResponseHead& head);
/// Ends the half with `trailers`.
void submit_trailers(Http2Session& session, const Http2Stream& stream, const HeaderList& trailers);

/// Copies trailers to where they can wait for the body before them.
void keep_trailers(const HeaderList& trailers, Buffer& kept);
/// Ends the half with the trailers that waited; these may go then.
void submit_kept_trailers(Http2Session& session, Http2Stream& stream);

}  // namespace limpet
