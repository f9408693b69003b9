# SPDX-License-Identifier: Apache-2.0
"""Clients and a replica that others have written: nghttp, h2load, curl, and Debian's python3-h2, which takes no
breach of the rules from either side."""

import json
import shutil
import socket
import subprocess

from harness import h2_library, tls
from harness.deadline import PATIENCE, Skip, seconds

WANTS_BIG = "/big"


def run(*command, limit=90.0):
    if not shutil.which(command[0]):
        raise Skip(f"{command[0]} is not installed")
    done = subprocess.run([str(word) for word in command], capture_output=True, timeout=seconds(limit))
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def answer(peer, message):
    if message.target == WANTS_BIG:
        return peer.answer(200, bytes(1 << 20))
    peer.answer(200, json.dumps({"target": message.target, "bytes": len(message.body)}))


def secured(life):
    ca = tls.Authority(f"{life.dir}/ca")
    return ca, life.daemon([life.replica(handle=answer)], listener=tls.listener(ca.issue("test.example", "127.0.0.1")))


def test_nghttp_with_prior_knowledge(life):
    daemon = life.daemon([life.replica(handle=answer)])
    said = run("nghttp", f"http://127.0.0.1:{daemon.place.port}/by-nghttp")
    assert json.loads(said) == {"target": "/by-nghttp", "bytes": 0}


def test_nghttp_over_tls_with_padding_continuation_and_a_body(life):
    _, daemon = secured(life)
    body = daemon.place.dir / "body"
    body.write_bytes(bytes(300000))
    said = run("nghttp", "--continuation", "--padding=200", "--data", body, "--no-verify-peer",
               f"https://127.0.0.1:{daemon.place.port}/up")
    assert json.loads(said) == {"target": "/up", "bytes": 300000}


def test_h2load_with_many_streams_loses_none(life):
    daemon = life.daemon([life.replica(handle=answer)])
    said = run("h2load", "-n", 2000, "-c", 4, "-m", 50, f"http://127.0.0.1:{daemon.place.port}/").decode()
    assert "2000 succeeded, 0 failed, 0 errored" in said, said


def test_h2load_over_tls_loses_none(life):
    _, daemon = secured(life)
    said = run("h2load", "-n", 1000, "-c", 4, "-m", 20, f"https://127.0.0.1:{daemon.place.port}/").decode()
    assert "1000 succeeded, 0 failed, 0 errored" in said and "Application protocol: h2" in said, said


def test_h2load_with_large_answers_loses_none(life):
    daemon = life.daemon([life.replica(handle=answer)])
    said = run("h2load", "-n", 50, "-c", 2, "-m", 10, f"http://127.0.0.1:{daemon.place.port}{WANTS_BIG}").decode()
    assert "50 succeeded, 0 failed, 0 errored" in said, said


def test_curl_chooses_http2_by_alpn(life):
    ca, daemon = secured(life)
    said = run("curl", "-sS", "--cacert", ca.cert, "--resolve", f"test.example:{daemon.place.port}:127.0.0.1",
               "-d", "x" * 1000, "-w", "\n%{http_version}", f"https://test.example:{daemon.place.port}/c").decode()
    body, version = said.rsplit("\n", 1)
    assert version == "2" and json.loads(body) == {"target": "/c", "bytes": 1000}


def test_curl_with_prior_knowledge_and_with_http1(life):
    daemon = life.daemon([life.replica(handle=answer)])
    url = f"http://127.0.0.1:{daemon.place.port}/c"
    for option, version in (("--http2-prior-knowledge", "2"), ("--http1.1", "1.1"), ("--http2", "1.1")):
        said = run("curl", "-sS", option, "-w", "\n%{http_version}", url).decode()
        assert said.endswith("\n" + version), (option, said)


def test_the_strict_library_finds_no_fault_with_what_a_client_gets(life):
    daemon = life.daemon([life.replica(handle=answer)])
    client = h2_library.LibraryClient(socket.create_connection(daemon.address, timeout=seconds(PATIENCE)))
    for path in ("/one", WANTS_BIG, "/three"):
        status, _, body = client.ask("GET", path)
        assert status == 200 and (path == WANTS_BIG or json.loads(body)["target"] == path)
    status, _, body = client.ask("POST", "/four", b"x" * 200000)
    assert status == 200 and json.loads(body)["bytes"] == 200000
    status, _, body = client.ask("HEAD", WANTS_BIG)
    assert status == 200 and body == b""
    client.close()


def test_the_strict_library_finds_no_fault_with_what_a_replica_gets(life):
    served = h2_library.LibraryServed()
    a = life.replica(on_connection=served)
    daemon = life.daemon([a], pool_keys='preset = "web"\nprotocol = "http2"')
    with daemon.client() as client:
        for number in range(5):
            response = client.ask("POST", f"/{number}", [("X-Mixed", "Case"), ("Cookie", "a=1; b=2")], b"x" * 100000)
            assert response.status == 200 and json.loads(response.body) == {"target": f"/{number}", "bytes": 100000}
        assert client.ask("HEAD", "/head").status == 200
        assert client.ask("GET", "/get", [("TE", "trailers")]).status == 200
    assert served.breaches == [], served.breaches
    assert a.failures == []
