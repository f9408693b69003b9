# SPDX-License-Identifier: Apache-2.0
"""Certificates: chosen by name and kind, watched and swapped, refused where wrong, stapled; and when they expire."""

import re
import signal

from harness import config, tls
from harness.client import request
from harness.daemon import run_limpetd
from harness.deadline import stays, wait_until
from harness.life import shaped
from harness.tls import TlsClient, handshake_fails, s_client

EXPIRY = "limpet_cert_expiry_timestamp_seconds"


class World:
    """An authority, and a daemon whose listener has `pairs` (made by `make(ca)`)."""

    def __init__(self, life, make, more=""):
        self.life = life
        self.ca = tls.Authority(f"{life.dir}/ca")
        self.pairs = make(self.ca)
        self.replica = life.replica()
        self.daemon = life.prepare(shaped([self.replica], listener=tls.listener(*self.pairs, more=more))).start()

    def served(self, name, **options):
        """The certificate that a client who asks for this name gets."""
        with TlsClient(self.daemon.address, self.ca.client(check=False, **options), name) as client:
            assert client.get("/").status == 200
            return client.certificate()

    def who(self, name, **options):
        """Which of the pairs that is: its place."""
        return [pair.der() for pair in self.pairs].index(self.served(name, **options))


def test_a_name_has_its_own_certificate(life):
    world = World(life, lambda ca: [ca.issue("a.example"), ca.issue("b.example"), ca.issue("c.example", "d.example")])
    assert [world.who(f"{letter}.example") for letter in "abcd"] == [0, 1, 2, 2]


def test_names_are_compared_without_regard_to_case(life):
    world = World(life, lambda ca: [ca.issue("a.example"), ca.issue("B.Example")])
    assert world.who("b.EXAMPLE") == 1 and world.who("b.example") == 1


def test_an_exact_name_goes_before_a_wildcard(life):
    world = World(life, lambda ca: [ca.issue(name) for name in ("first.example", "*.site.example", "www.site.example")])
    assert world.who("www.site.example") == 2
    assert world.who("other.site.example") == 1


def test_a_wildcard_stands_for_one_label(life):
    world = World(life, lambda ca: [ca.issue("first.example"), ca.issue("*.site.example")])
    assert world.who("x.site.example") == 1
    assert world.who("site.example") == 0 and world.who("y.x.site.example") == 0


def test_the_first_certificate_is_for_unknown_names_and_for_none(life):
    world = World(life, lambda ca: [ca.issue("first.example"), ca.issue("second.example")])
    assert world.who("unknown.example") == 0
    assert world.who(None) == 0


def test_ecdsa_and_rsa_stand_side_by_side_for_one_name(life):
    world = World(life, lambda ca: [ca.issue("test.example", kind="ec"), ca.issue("test.example", kind="rsa")])
    assert world.who("test.example", version="1.2", ciphers="ECDHE-ECDSA-AES128-GCM-SHA256") == 0
    assert world.who("test.example", version="1.2", ciphers="ECDHE-RSA-AES128-GCM-SHA256") == 1
    assert world.who("test.example") == 0, "the smaller one where the client takes both"


def test_ecdsa_and_rsa_are_chosen_by_signature_in_tls_1_3(life):
    world = World(life, lambda ca: [ca.issue("test.example", kind="rsa"), ca.issue("test.example", kind="ec")])
    for algorithms, kind in (("ecdsa_secp256r1_sha256", "ECDSA"), ("rsa_pss_rsae_sha256", "RSA")):
        said = s_client(world.daemon, "-tls1_3", "-sigalgs", f"{algorithms}:rsa_pkcs1_sha256:ecdsa_secp384r1_sha384"
                        if kind == "RSA" else algorithms)
        assert re.search(rf"Peer signature type: {kind}", said), said


def test_the_rest_of_the_chain_is_sent(life):
    root = tls.Authority(f"{life.dir}/root", "Root")
    middle = root.intermediate("Middle")
    pair = middle.issue("test.example")
    pair.cert.write_bytes(pair.cert.read_bytes() + middle.cert.read_bytes())
    daemon = life.daemon([life.replica()], listener=tls.listener(pair))
    with TlsClient(daemon.address, root.client()) as client:
        assert client.get("/").status == 200


def test_a_replaced_pair_is_served_without_a_reload(life):
    world = World(life, lambda ca: [ca.issue("test.example")])
    with TlsClient(world.daemon.address, world.ca.client()) as kept:
        fresh = world.ca.issue("test.example")
        world.pairs[0].replace_by(fresh)
        wait_until(lambda: world.served("test.example") == fresh.der(), "the new certificate is served")
        assert kept.get("/").status == 200, "a connection that stands does not notice"
    assert world.daemon.metrics().sum("limpet_config_reloads_total") == 0


def put(path, content):
    """Moves a fresh file over an old one."""
    fresh = path.with_suffix(".fresh")
    fresh.write_bytes(content)
    fresh.replace(path)


def test_a_bad_new_pair_is_refused_and_the_old_one_stays(life):
    world = World(life, lambda ca: [ca.issue("test.example")])
    pair, stranger = world.pairs[0], world.ca.issue("test.example")
    bad = {"not a certificate": (b"nonsense\n", pair.key.read_bytes()),
           "an empty file": (b"", pair.key.read_bytes()),
           "the key of another": (pair.cert.read_bytes(), stranger.key.read_bytes())}
    for name, (cert, key) in bad.items():
        old, before = world.served("test.example"), len(world.daemon.errors())
        put(pair.cert, cert)
        put(pair.key, key)
        wait_until(lambda: re.search(f"{pair.cert.name}|{pair.key.name}", world.daemon.errors()[before:]),
                   f"a line about {name}")
        assert world.served("test.example") == old, name
        fresh = world.ca.issue("test.example")
        pair.replace_by(fresh)
        wait_until(lambda: world.served("test.example") == fresh.der(), f"a good pair is taken behind {name}")


def test_a_pair_that_is_replaced_half_by_half_is_never_served_mixed(life):
    world = World(life, lambda ca: [ca.issue("test.example")])
    context = world.ca.client()
    for _ in range(3):
        fresh = world.ca.issue("test.example")
        staged = world.pairs[0].cert.with_suffix(".staged")
        staged.write_bytes(fresh.cert.read_bytes())
        staged.replace(world.pairs[0].cert)
        for _ in range(10):
            with TlsClient(world.daemon.address, context) as client:
                assert client.get("/").status == 200
        staged.write_bytes(fresh.key.read_bytes())
        staged.replace(world.pairs[0].key)
        wait_until(lambda: world.served("test.example") == fresh.der(), "the whole pair is served")


def test_a_bad_pair_at_a_reload_changes_nothing(life):
    world = World(life, lambda ca: [ca.issue("test.example")])
    old = world.served("test.example")
    other = world.ca.issue("other.example")
    broken = tls.Pair(other.cert, world.pairs[0].key)
    world.daemon.write_config(shaped([world.replica], listener=tls.listener(world.pairs[0], broken)))
    world.daemon.signal(signal.SIGHUP)
    wait_until(lambda: world.daemon.metrics().sum("limpet_config_last_reload_successful") == 0, "it is refused")
    assert other.cert.name in world.daemon.errors() or world.pairs[0].key.name in world.daemon.errors()
    assert world.served("test.example") == old and world.served("other.example") == old


def test_a_certificate_can_be_added_by_a_reload(life):
    world = World(life, lambda ca: [ca.issue("test.example")])
    with TlsClient(world.daemon.address, world.ca.client()) as kept:
        added = world.ca.issue("added.example")
        world.daemon.reload(shaped([world.replica], listener=tls.listener(world.pairs[0], added)))
        assert world.served("added.example") == added.der()
        assert kept.get("/").status == 200


def test_a_daemon_with_a_bad_pair_does_not_start_and_says_why(life):
    ca = tls.Authority(f"{life.dir}/ca")
    good, other = ca.issue("test.example"), ca.issue("other.example")
    cases = {"missing": (tls.Pair(f"{life.dir}/missing.pem", good.key), "missing.pem"),
             "mixed": (tls.Pair(good.cert, other.key), other.key.name)}
    for name, (pair, word) in cases.items():
        place = life.place(name)
        place.config.write_text(shaped([life.replica()], listener=tls.listener(pair))(place))
        done = run_limpetd("--check", "-c", str(place.config))
        assert done.returncode != 0, name
        assert word in done.stdout + done.stderr, (name, done.stdout + done.stderr)


def test_when_certificates_expire_is_a_metric_and_follows_a_swap(life):
    world = World(life, lambda ca: [ca.issue("a.example", days=10), ca.issue("b.example", days=20)])
    for pair in world.pairs:
        assert world.daemon.metrics().sum(EXPIRY, name=str(pair.cert)) == pair.expires()
    fresh = world.ca.issue("a.example", days=15)
    world.pairs[0].replace_by(fresh)
    wait_until(lambda: world.daemon.metrics().sum(EXPIRY, name=str(world.pairs[0].cert)) == fresh.expires(),
               "the metric follows")


def test_a_certificate_that_is_no_longer_served_has_no_metric(life):
    world = World(life, lambda ca: [ca.issue("a.example"), ca.issue("b.example")])
    world.daemon.reload(shaped([world.replica], listener=tls.listener(world.pairs[1])))
    said = [line for line in world.daemon.metrics().text.splitlines() if line.startswith(EXPIRY)]
    assert len(said) == 1 and str(world.pairs[1].cert) in said[0], said


def test_a_staple_from_a_file_is_sent_to_those_who_ask(life):
    ca = tls.Authority(f"{life.dir}/ca")
    pair, plain = ca.issue("test.example"), ca.issue("plain.example")
    daemon = life.daemon([life.replica()], listener=tls.listener(pair.toml(ocsp=str(ca.staple(pair))), plain))
    said = s_client(daemon, "-status", "-CAfile", ca.cert)
    assert "OCSP Response Status: successful" in said and "Cert Status: good" in said, said
    assert "OCSP response: no response sent" in s_client(daemon, "-status", server_name="plain.example")


def test_a_staple_that_cannot_be_read_does_not_stop_the_handshakes(life):
    ca = tls.Authority(f"{life.dir}/ca")
    pair = ca.issue("test.example")
    staple = ca.staple(pair)
    daemon = life.daemon([life.replica()], listener=tls.listener(pair.toml(ocsp=str(staple))))
    staple.write_bytes(b"nonsense")
    with TlsClient(daemon.address, ca.client()) as client:
        assert client.get("/").status == 200
    assert "Verify return code: 0" in s_client(daemon, "-status", "-CAfile", ca.cert)


def test_a_replaced_staple_is_sent_without_a_reload(life):
    ca = tls.Authority(f"{life.dir}/ca")
    pair = ca.issue("test.example")
    staple = ca.staple(pair)
    daemon = life.daemon([life.replica()], listener=tls.listener(pair.toml(ocsp=str(staple))))
    first = s_client(daemon, "-status", "-CAfile", ca.cert)
    old = staple.read_bytes()
    ca.staple(pair, days=9)
    assert staple.read_bytes() != old and "successful" in first

    def next_update():
        found = re.search(r"Next Update: (.*)", s_client(daemon, "-status", "-CAfile", ca.cert))
        return found and found.group(1)
    before = re.search(r"Next Update: (.*)", first).group(1)
    wait_until(lambda: next_update() not in (None, before), "the new staple")


def test_the_name_in_the_handshake_does_not_bind_the_requests(life):
    """Connections may be shared by names of one certificate: the request's host decides about its route."""
    ca = tls.Authority(f"{life.dir}/ca")
    a, b = life.some("a", "b")
    pools = config.pool("a", [a]) + config.pool("b", [b])
    routes = '[[route]]\nhost = "a.example"\npool = "a"\n[[route]]\nhost = "b.example"\npool = "b"\n'
    daemon = life.prepare(lambda place: config.whole(
        place, pools, routes=routes, listener=tls.listener(ca.issue("a.example", "b.example")))).start()
    with TlsClient(daemon.address, ca.client(), "a.example") as client:
        for host, id in (("a.example", "a"), ("b.example", "b")):
            client.send(request("GET", "/", host=host))
            assert client.response().get("X-Replica") == id


def test_handshakes_fail_for_nobody_while_certificates_are_swapped(life):
    world = World(life, lambda ca: [ca.issue("test.example")])
    context = world.ca.client()
    for _ in range(4):
        world.pairs[0].replace_by(world.ca.issue("test.example"))
        for _ in range(15):
            with TlsClient(world.daemon.address, context) as client:
                assert client.get("/").status == 200
    stays(world.daemon.is_ready, "ready", 0.05)


def test_a_name_that_no_certificate_fits_is_seen_by_the_client(life):
    world = World(life, lambda ca: [ca.issue("test.example")])
    assert "match" in handshake_fails(world.daemon, world.ca.client(), "unknown.example").lower()
