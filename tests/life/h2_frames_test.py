# SPDX-License-Identifier: Apache-2.0
"""Single frames that break the rules of RFC 9113 sections 4 and 6, and odd ones that do not."""

import struct
import threading

from harness import h2_frames as f
from harness.deadline import seconds
from harness.h2 import H2Client

HEAD = f.block(f.request_fields())
BEGUN = f.headers(1, HEAD[:4], end_headers=False)  # a field block whose rest is due
OPEN = f.headers(1, f.block(f.request_fields("POST")), end=False)
TOO_SHORT = (f.FRAME_SIZE_ERROR, f.PROTOCOL_ERROR)

# What is sent on a fresh connection, and the codes of GOAWAY that the RFC allows for it.
CONNECTION_ERRORS = {
    "4.2 a HEADERS frame above the largest size": (f.frame(f.HEADERS, 5, 1, bytes(16385)), f.FRAME_SIZE_ERROR),
    "4.2 a SETTINGS frame above the largest size": (f.frame(f.SETTINGS, 0, 0, bytes(16386)), f.FRAME_SIZE_ERROR),
    "4.2 an unknown frame above the largest size": (f.frame(0xee, 0, 0, bytes(16385)), f.FRAME_SIZE_ERROR),
    "6.1 DATA on stream 0": (f.data(0, b"x"), f.PROTOCOL_ERROR),
    "6.1 DATA whose padding is the whole frame": (OPEN + f.frame(f.DATA, f.PADDED, 1, b"\x06hello"), f.PROTOCOL_ERROR),
    "6.1 DATA whose padding is more than that": (OPEN + f.frame(f.DATA, f.PADDED, 1, b"\xffhello"), f.PROTOCOL_ERROR),
    "6.1 padded DATA without the length of it": (OPEN + f.frame(f.DATA, f.PADDED, 1), *TOO_SHORT),
    "6.2 HEADERS on stream 0": (f.headers(0, HEAD), f.PROTOCOL_ERROR),
    "6.2 HEADERS whose padding is more than the frame": (f.frame(f.HEADERS, 0xd, 1, b"\xff" + HEAD), f.PROTOCOL_ERROR),
    "6.2 padded HEADERS without the length of it": (f.frame(f.HEADERS, 0xd, 1), *TOO_SHORT),
    "6.2 HEADERS too short for its priority": (f.frame(f.HEADERS, 0x25, 1, b"\0\0\0"), *TOO_SHORT),
    "6.3 PRIORITY on stream 0": (f.priority(0), f.PROTOCOL_ERROR),
    "6.4 RST_STREAM on stream 0": (f.rst_stream(0), f.PROTOCOL_ERROR),
    "6.4 RST_STREAM on an idle stream": (f.rst_stream(1), f.PROTOCOL_ERROR),
    "6.4 RST_STREAM that is too short": (OPEN + f.frame(f.RST_STREAM, 0, 1, b"\0\0\0"), f.FRAME_SIZE_ERROR),
    "6.4 RST_STREAM that is too long": (OPEN + f.frame(f.RST_STREAM, 0, 1, bytes(5)), f.FRAME_SIZE_ERROR),
    "6.5 SETTINGS on a stream": (f.settings(stream=1), f.PROTOCOL_ERROR),
    "6.5 SETTINGS that are no multiple of six": (f.frame(f.SETTINGS, 0, 0, bytes(5)), f.FRAME_SIZE_ERROR),
    "6.5 an acknowledgement with a payload": (f.settings({f.ENABLE_PUSH: 0}, flags=f.ACK), f.FRAME_SIZE_ERROR),
    "6.5.2 ENABLE_PUSH of 2": (f.settings({f.ENABLE_PUSH: 2}), f.PROTOCOL_ERROR),
    "6.5.2 an initial window above 2^31-1": (f.settings({f.INITIAL_WINDOW_SIZE: 1 << 31}), f.FLOW_CONTROL_ERROR),
    "6.5.2 a largest frame below 16384": (f.settings({f.MAX_FRAME_SIZE: 16383}), f.PROTOCOL_ERROR),
    "6.5.2 a largest frame above 2^24-1": (f.settings({f.MAX_FRAME_SIZE: 1 << 24}), f.PROTOCOL_ERROR),
    "6.6 PUSH_PROMISE by a client": (OPEN + f.frame(f.PUSH_PROMISE, 4, 1, b"\0\0\0\2" + HEAD), f.PROTOCOL_ERROR),
    "6.7 PING on a stream": (f.ping(stream=1), f.PROTOCOL_ERROR),
    "6.7 PING that is too short": (f.ping(b"1234567"), f.FRAME_SIZE_ERROR),
    "6.7 PING that is too long": (f.ping(b"123456789"), f.FRAME_SIZE_ERROR),
    "6.8 GOAWAY on a stream": (f.frame(f.GOAWAY, 0, 1, bytes(8)), f.PROTOCOL_ERROR),
    "6.8 GOAWAY that is too short": (f.frame(f.GOAWAY, 0, 0, bytes(7)), f.FRAME_SIZE_ERROR),
    "6.9 WINDOW_UPDATE of 0 for the connection": (f.window_update(0, 0), f.PROTOCOL_ERROR),
    "6.9 WINDOW_UPDATE that is too short": (f.frame(f.WINDOW_UPDATE, 0, 0, b"\0\0\1"), f.FRAME_SIZE_ERROR),
    "6.9 WINDOW_UPDATE that is too long": (f.frame(f.WINDOW_UPDATE, 0, 0, b"\0\0\0\1\0"), f.FRAME_SIZE_ERROR),
    "6.9 WINDOW_UPDATE on an idle stream": (f.window_update(1, 1), f.PROTOCOL_ERROR),
    "6.9.1 a window of the connection above 2^31-1": (f.window_update(0, f.WINDOW_BYTES_MAX), f.FLOW_CONTROL_ERROR),
    "6.10 CONTINUATION without HEADERS": (f.continuation(1, HEAD), f.PROTOCOL_ERROR),
    "6.10 CONTINUATION on stream 0": (BEGUN + f.continuation(0, HEAD[4:]), f.PROTOCOL_ERROR),
    "6.10 CONTINUATION on another stream": (BEGUN + f.continuation(3, HEAD[4:]), f.PROTOCOL_ERROR),
    "6.10 CONTINUATION behind END_HEADERS": (f.headers(1, HEAD, end=False) + f.continuation(1, HEAD), f.PROTOCOL_ERROR),
    "4.3 DATA inside a field block": (BEGUN + f.data(1, b"x"), f.PROTOCOL_ERROR),
    "4.3 PING inside a field block": (BEGUN + f.ping(), f.PROTOCOL_ERROR),
    "4.3 another HEADERS inside a field block": (BEGUN + f.headers(3, HEAD), f.PROTOCOL_ERROR),
    "5.5 an unknown frame inside a field block": (BEGUN + f.frame(0xee, 0, 1), f.PROTOCOL_ERROR),
}

# Field blocks that cannot be decoded (RFC 7541).
BAD_BLOCKS = {
    "an index of 0": b"\x80",
    "an index beyond both tables": b"\xff\x80\x01",
    "an integer without end": b"\xff" + b"\xff" * 20,
    "a string longer than the block": b"\x00\x05ab",
    "half a field": b"\x00\x01a",
    "a Huffman string with the end symbol": b"\x00\x84\xff\xff\xff\xff\x01x",
    "a Huffman string with padding of zeros": b"\x00\x81\x00\x01x",
    "a table above what was announced": b"\x3f\xe2\x7f" + HEAD,
    "a change of the table's size behind a field": HEAD + b"\x20",
}

# Odd, but within the rules: the request that follows, or that they are part of, is served.
HARMLESS = {
    "4.1 frames of unknown types": f.frame(0xee, 0xff, 0, b"abc") + f.frame(0xfa, 0, 99, b""),
    "4.1 flags that mean nothing": f.frame(f.PING, 0xfe, 0, b"12345678") + f.frame(f.SETTINGS, 0xfe, 0),
    "4.1 the reserved bit of a stream": f.frame(f.WINDOW_UPDATE, 0, 1 << 31, struct.pack(">I", 5)),
    "6.3 PRIORITY on an idle stream": f.priority(77) + f.priority(2),
    "6.5.2 an unknown setting": f.settings({0xeeee: 5, 0: 1}),
    "6.5.3 the same setting twice": f.settings([(f.INITIAL_WINDOW_SIZE, 0), (f.INITIAL_WINDOW_SIZE, 65535)]),
    "6.5 empty SETTINGS": f.settings(),
    "6.7 an answer to a PING that was never sent": f.ping(b"whatever", f.ACK),
    "6.9 the reserved bit of an increment": f.frame(f.WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 31 | 5)),
    "9218 PRIORITY_UPDATE": f.frame(0x10, 0, 0, struct.pack(">I", 1) + b"u=3"),
}


def test_each_frame_that_is_an_error_of_the_connection_gets_its_goaway_and_the_end(life):
    a = life.replica()
    daemon = life.daemon([a])
    wrong = []
    for name, (sent, *codes) in CONNECTION_ERRORS.items():
        with H2Client(daemon.address) as client:
            client.expect_stream(1)
            try:
                client.send(sent)
                client.connection_error(*codes)
            except (AssertionError, OSError) as fault:
                wrong.append(f"{name}: {fault}")
    assert not wrong, "\n".join(wrong)
    assert not any(r.is_whole for r in a.requests), a.targets()
    assert daemon.once("GET", "/after").status == 200


def test_a_field_block_that_cannot_be_decoded_is_a_compression_error(life):
    a = life.replica()
    daemon = life.daemon([a])
    wrong = []
    for name, block in BAD_BLOCKS.items():
        with H2Client(daemon.address) as client:
            client.wait_settings()
            client.expect_stream(1)
            try:
                client.send(f.headers(1, block))
                client.connection_error(f.COMPRESSION_ERROR)
            except (AssertionError, OSError) as fault:
                wrong.append(f"{name}: {fault}")
    assert not wrong, "\n".join(wrong)
    assert a.count() == 0, a.targets()


def test_what_is_odd_but_allowed_disturbs_nobody(life):
    daemon = life.daemon([life.replica()])
    wrong = []
    for name, sent in HARMLESS.items():
        with H2Client(daemon.address) as client:
            client.wait_settings()
            try:
                client.send(sent)
                client.lives()
            except (AssertionError, OSError) as fault:
                wrong.append(f"{name}: {fault}")
    assert not wrong, "\n".join(wrong)


def test_goaway_names_the_last_stream_that_was_taken(life):
    daemon = life.daemon([life.replica()])
    with H2Client(daemon.address) as client:
        client.get("/")
        client.get("/")
        client.send(f.window_update(0, 0))
        client.connection_error(f.PROTOCOL_ERROR)
        assert client.goaways[-1][0] == 3, client.goaways


def test_a_data_frame_of_the_largest_size_is_taken_and_one_byte_more_is_not(life):
    daemon = life.daemon([life.replica()])
    with H2Client(daemon.address) as client:
        stream = client.begin("POST", end=False)
        client.send(f.data(stream.id, bytes(16384), True))
        assert b'"body_bytes": 16384' in client.finish(stream).body
        stream = client.begin("POST", end=False)
        client.send(f.data(stream.id, bytes(16385), True))
        client.refused(stream, f.FRAME_SIZE_ERROR)


def test_padding_is_taken_off_and_counts_against_the_windows(life):
    a = life.replica()
    daemon = life.daemon([a])
    with H2Client(daemon.address) as client:
        stream = client.expect_stream()
        client.send(f.headers(stream.id, f.block(f.request_fields("POST")), end=False, padding=200, depends_on=0))
        for _ in range(1000):  # 256,000 bytes, most of them padding: without credit for it the window would end
            client.wait(lambda: client.room >= 256 and stream.room >= 256, "credit for padding")
            client.room -= 256
            stream.room -= 256
            client.send(f.data(stream.id, b"hello", padding=250))
        client.send(f.data(stream.id, b"", True, padding=0))
        assert b'"body_bytes": 5000' in client.finish(stream).body


def test_ping_comes_back_as_it_was(life):
    daemon = life.daemon([life.replica()])
    with H2Client(daemon.address) as client:
        client.send(f.ping(b"\0\xff and 3"))
        client.wait(lambda: client.count(f.PING, f.ACK), "the answer")
        answers = [c for c in client.frames if c.type == f.PING]
        assert [a.payload for a in answers] == [b"\0\xff and 3"] and answers[0].stream == 0


def test_an_answer_to_ping_is_not_answered(life):
    daemon = life.daemon([life.replica()])
    with H2Client(daemon.address) as client:
        client.send(f.ping(b"unasked!", f.ACK))
        client.round_trip()
        assert client.count(f.PING) == 1


def test_each_settings_frame_is_acknowledged(life):
    daemon = life.daemon([life.replica()])
    with H2Client(daemon.address) as client:
        for _ in range(5):
            client.send(f.settings({f.INITIAL_WINDOW_SIZE: 70000}))
        client.round_trip()
        client.wait(lambda: client.count(f.SETTINGS, f.ACK) == 6, "six acknowledgements")


def test_a_head_in_many_pieces_is_one_head(life):
    a = life.replica()
    daemon = life.daemon([a])
    fields = [("x-long", "y" * 3000)]
    block = f.block(f.request_fields("GET", "/pieces", fields))
    with H2Client(daemon.address) as client:
        stream = client.expect_stream()
        pieces = [block[at:at + 1000] for at in range(0, len(block), 1000)]
        client.send(f.headers(stream.id, b"", end_headers=False))
        for piece in pieces:
            client.send(f.continuation(stream.id, piece, end_headers=False))
        client.send(f.continuation(stream.id, b"", end_headers=True))
        assert client.finish(stream).status == 200
    assert a.requests[0].get("X-Long") == "y" * 3000


def test_priority_of_the_wrong_size_ends_at_most_the_stream_or_the_connection_with_frame_size_error(life):
    daemon = life.daemon([life.replica()])
    with H2Client(daemon.address) as client:
        stream = client.begin("POST", end=False)
        client.send(f.frame(f.PRIORITY, 0, stream.id, bytes(4)))
        client.refused(stream, f.FRAME_SIZE_ERROR)


def test_a_window_update_of_0_on_a_stream_ends_at_least_that_stream(life):
    daemon = life.daemon([life.replica()])
    with H2Client(daemon.address) as client:
        stream = client.begin("POST", end=False)
        client.send(f.window_update(stream.id, 0))
        client.refused(stream, f.PROTOCOL_ERROR)


def test_a_window_of_a_stream_above_the_largest_ends_that_stream_only(life):
    daemon = life.daemon([life.replica()])
    with H2Client(daemon.address) as client:
        stream = client.begin("POST", end=False)
        client.send(f.window_update(stream.id, f.WINDOW_BYTES_MAX))
        client.wait_reset(stream, f.FLOW_CONTROL_ERROR)
        client.lives()


def test_an_initial_window_that_makes_a_streams_window_too_large_is_a_flow_control_error(life):
    daemon = life.daemon([life.replica()])
    with H2Client(daemon.address) as client:
        stream = client.begin("POST", end=False)
        client.send(f.window_update(stream.id, 70000) + f.settings({f.INITIAL_WINDOW_SIZE: f.WINDOW_BYTES_MAX}))
        client.connection_error(f.FLOW_CONTROL_ERROR)


def test_data_beyond_the_window_is_a_flow_control_error(life):
    hold = threading.Event()

    def serve(peer):
        peer.head()
        hold.wait(seconds(60))
    daemon = life.daemon([life.replica(on_connection=serve, receive_buffer=4096)])
    with H2Client(daemon.address) as client:
        client.wait_settings()
        stream = client.begin("POST", end=False)
        try:
            for _ in range(10000):  # 160 MB in all: no window is as large
                client.send(f.data(stream.id, bytes(16384)))
        except OSError:
            pass  # the connection is already ended
        client.wait(lambda: stream.reset is not None or client.goaways or client.ended, "an objection")
        codes = {stream.reset, client.goaways[-1][1] if client.goaways else None} - {None}
        assert codes == {f.FLOW_CONTROL_ERROR} or (not codes and client.was_cut), codes  # a cut may swallow the word
        hold.set()


def test_the_table_of_fields_stays_in_step_when_a_request_is_refused(life):
    a = life.replica()
    daemon = life.daemon([a], limits='header_bytes = "2KiB"')
    remembered = b"\x40" + f.literal("x-kept", "for later")[1:]  # literal with indexing
    with H2Client(daemon.address) as client:
        refused = client.expect_stream()
        fields = f.block(f.request_fields("GET", "/big", [("x-big", "y" * 3000)]))
        client.send(f.headers(refused.id, fields + remembered))
        client.wait(lambda: refused.is_over, "the refusal")
        assert refused.reset is not None or refused.status == 431, refused
        stream = client.expect_stream()
        client.send(f.headers(stream.id, f.block(f.request_fields()) + b"\xbe"))  # the newest entry
        assert client.finish(stream).status == 200
    assert a.requests[-1].get("X-Kept") == "for later"
