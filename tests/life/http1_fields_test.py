# SPDX-License-Identifier: Apache-2.0
"""Which fields pass, which stay on their side, and what the balancer adds."""


def test_hop_by_hop_fields_of_a_request_stay_on_the_clients_side(life):
    a = life.replica()
    daemon = life.daemon([a])
    daemon.once("GET", "/", [("Connection", "X-Private, keep-alive"), ("X-Private", "1"), ("Keep-Alive", "timeout=5"),
                             ("Proxy-Connection", "keep-alive"), ("TE", "trailers, gzip"),
                             ("X-Public", "2")])
    seen = a.requests[0]
    for name in ("X-Private", "Keep-Alive", "Proxy-Connection"):
        assert not seen.has(name), (name, seen)
    assert "X-Private" not in seen.get("Connection", "")
    assert seen.get("TE") in (None, "trailers"), seen
    assert seen.get("X-Public") == "2"


def test_hop_by_hop_fields_of_a_response_stay_on_the_replicas_side(life):
    def answer(peer, _):
        peer.answer(200, b"x", [("Connection", "X-Private, Keep-Alive"), ("X-Private", "1"),
                                ("Keep-Alive", "timeout=1"), ("Proxy-Connection", "x"),
                                ("X-Public", "2")])
    daemon = life.daemon([life.replica(handle=answer)])
    with daemon.client() as client:
        for _ in range(2):
            response = client.get("/")
            for name in ("X-Private", "Keep-Alive", "Proxy-Connection"):
                assert not response.has(name), (name, response)
            assert response.get("X-Public") == "2"


def test_fields_that_framing_needs_cannot_be_nominated_away(life):
    a = life.replica()
    daemon = life.daemon([a])
    response = daemon.once("POST", "/", [("Connection", "Content-Length, Host")], b"abc")
    if response.status == 400:
        assert a.count() == 0
        return
    assert a.requests[0].body == b"abc" and a.requests[0].get("Host") == "test.example"


def test_a_connection_close_of_the_replica_is_not_the_clients_business(life):
    def answer(peer, _):
        peer.answer(200, b"bye", [("Connection", "close")])
        peer.close()
    daemon = life.daemon([life.replica(handle=answer)])
    with daemon.client() as client:
        for _ in range(3):
            response = client.get("/")
            assert response.status == 200 and not response.has("Connection"), response


def test_the_replica_learns_who_asked_and_how(life):
    a = life.replica()
    daemon = life.daemon([a])
    daemon.once("GET", "/", host="shop.example:81")
    seen = a.requests[0]
    assert seen.get("X-Forwarded-For") == "127.0.0.1"
    assert seen.get("X-Forwarded-Proto") == "http"
    assert seen.get("X-Forwarded-Host") == "shop.example:81"
    assert "limpet" in seen.get("Via", ""), seen
    assert seen.get("Via").startswith("1.1 ")


def test_an_unknown_client_cannot_claim_to_be_somebody_else(life):
    a = life.replica()
    daemon = life.daemon([a])
    daemon.once("GET", "/", [("X-Forwarded-For", "10.1.1.1"), ("X-Forwarded-Proto", "https"),
                             ("X-Forwarded-Host", "evil.example"), ("X-Real-IP", "10.1.1.1"),
                             ("Forwarded", "for=10.1.1.1;proto=https")])
    seen = a.requests[0]
    everything = " ".join(f"{name}: {value}" for name, value in seen.fields)
    assert "10.1.1.1" not in everything and "evil.example" not in everything, everything
    assert "https" not in everything, everything


def test_a_trusted_proxy_is_believed_and_the_chain_is_kept(life):
    a = life.replica()
    daemon = life.daemon([a], listener='trusted = ["127.0.0.0/8"]')
    daemon.once("GET", "/", [("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", "https"),
                             ("X-Forwarded-Host", "shop.example")])
    seen = a.requests[0]
    assert seen.get("X-Forwarded-For") == "203.0.113.9, 127.0.0.1", seen
    assert seen.get("X-Forwarded-Proto") == "https"
    assert seen.get("X-Forwarded-Host") == "shop.example"
    line = daemon.wait_log(lambda e: True)
    assert "203.0.113.9" in str(line), line


def test_forwarded_of_a_trusted_proxy_is_read(life):
    a = life.replica()
    daemon = life.daemon([a], listener='trusted = ["127.0.0.0/8"]')
    daemon.once("GET", "/", [("Forwarded", 'for="[2001:db8::7]:4711";proto=https')])
    line = daemon.wait_log(lambda e: True)
    assert "2001:db8::7" in str(line), line


def test_via_of_earlier_proxies_is_kept(life):
    a = life.replica()
    daemon = life.daemon([a])
    daemon.once("GET", "/", [("Via", "1.0 fred")])
    assert ", ".join(a.requests[0].all("Via")).startswith("1.0 fred, 1.1 "), a.requests[0]


def test_a_request_id_is_made_passed_on_and_logged(life):
    a = life.replica()
    daemon = life.daemon([a])
    response = daemon.once("GET", "/")
    made = a.requests[0].get("X-Request-Id")
    assert made and response.get("X-Request-Id") == made
    line = daemon.wait_log(lambda e: True)
    assert made in line.values(), line
    daemon.once("GET", "/")
    assert a.requests[1].get("X-Request-Id") != made


def test_forward_host_replica_sends_the_replicas_address(life):
    a = life.replica()
    daemon = life.daemon([a], pool_keys='preset = "web"\nforward_host = "replica"')
    daemon.once("GET", "/", host="shop.example")
    assert a.requests[0].get("Host") == a.address
    assert a.requests[0].get("X-Forwarded-Host") == "shop.example"


def test_routes_choose_by_host_and_longest_path(life):
    from harness import config
    a, b, c = life.some("a", "b", "c")
    routes = ('[[route]]\npath = "/"\npool = "web"\n'
              '[[route]]\npath = "/api"\npool = "api"\n'
              '[[route]]\nhost = "*.shop.example"\npath = "/"\npool = "shop"\n'
              '[[route]]\npath = "/old"\nredirect = { to = "https://new.example/", status = 301 }\n'
              '[[route]]\npath = "/closed"\nrespond = { status = 410 }\n')
    daemon = life.prepare(lambda place: config.whole(place, [
        config.pool("web", [a]), config.pool("api", [b]), config.pool("shop", [c])], routes=routes)).start()

    def who(target, host="test.example"):
        return daemon.once("GET", target, host=host).get("X-Replica")
    assert (who("/"), who("/api"), who("/api/x?y"), who("/apix")) == ("a", "b", "b", "a")
    assert who("/", "www.shop.example") == "c" and who("/", "shop.example") == "a"
    moved = daemon.once("GET", "/old/x")
    assert moved.status == 301 and moved.get("Location", "").startswith("https://new.example/")
    assert daemon.once("GET", "/closed").status == 410
