# SPDX-License-Identifier: Apache-2.0
"""Certificates made with the openssl command, contexts of Python's ssl module, and the command itself as a client
where that module cannot say what a test wants."""

import pathlib
import select
import socket
import ssl
import subprocess
import threading
import time

from harness.client import Client
from harness.deadline import seconds
from harness.message import Stream, no_delay

CURVES = {"ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["-newkey", "rsa:2048"]}


def openssl(*arguments, stdin=b"", limit=60.0):
    """Runs the command; its standard output."""
    done = subprocess.run(["openssl", *map(str, arguments)], input=stdin, capture_output=True, timeout=seconds(limit))
    assert done.returncode == 0, f"openssl {arguments}: {done.stderr.decode()}"
    return done.stdout


class Pair:
    """A certificate and its key, as files."""

    def __init__(self, cert, key):
        self.cert, self.key = pathlib.Path(cert), pathlib.Path(key)

    def toml(self, **more):
        extra = "".join(f', {key} = "{value}"' for key, value in more.items())
        return f'{{ cert = "{self.cert}", key = "{self.key}"{extra} }}'

    def der(self):
        return ssl.PEM_cert_to_DER_cert(self.cert.read_text())

    def expires(self):
        """Unix time."""
        line = openssl("x509", "-in", self.cert, "-noout", "-enddate").decode().strip()
        return ssl.cert_time_to_seconds(line.split("=", 1)[1])

    def replace_by(self, other):
        """As operators do: fresh files moved over the old ones, the key first."""
        for old, new in ((self.key, other.key), (self.cert, other.cert)):
            fresh = old.with_suffix(".fresh")
            fresh.write_bytes(new.read_bytes())
            fresh.replace(old)


class Authority:
    """A certificate authority in a folder of its own."""

    def __init__(self, directory, name="Test Authority", signer=None):
        self.dir = pathlib.Path(directory)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.count = 0
        self.cert, self.key = self.dir / "ca.pem", self.dir / "ca.key"
        signed = ["-CA", signer.cert, "-CAkey", signer.key] if signer else []
        openssl("req", "-x509", *CURVES["ec"], "-nodes", "-keyout", self.key, "-out", self.cert, "-days", "30",
                "-subj", f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature", *signed)

    def intermediate(self, name):
        """An authority that this one has signed."""
        return Authority(self.dir / name, name, self)

    def issue(self, *names, kind="ec", days=30, common_name=None, usage="serverAuth,clientAuth"):
        """A certificate for DNS names (and addresses)."""
        self.count += 1
        stem = self.dir / f"leaf{self.count}"
        pair = Pair(stem.with_suffix(".pem"), stem.with_suffix(".key"))
        request, extensions = stem.with_suffix(".csr"), stem.with_suffix(".ext")
        subject = common_name or (names[0] if names else "nobody")
        alternatives = ",".join(("IP:" if name[0].isdigit() else "DNS:") + name for name in names)
        text = f"basicConstraints=CA:FALSE\nextendedKeyUsage={usage}\n"
        extensions.write_text(text + (f"subjectAltName={alternatives}\n" if names else ""))
        openssl("req", "-new", *CURVES[kind], "-nodes", "-keyout", pair.key, "-out", request, "-subj", f"/CN={subject}")
        openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-days", str(days),
                "-set_serial", str(1000 + self.count), "-out", pair.cert, "-extfile", extensions)
        return pair

    def staple(self, pair, days=7):
        """An OCSP response that calls the certificate good; a file, always the same for one certificate."""
        index, request = self.dir / f"index{self.count}.txt", self.dir / f"ocsp{self.count}.req"
        answer = pair.cert.with_suffix(".ocsp")
        serial = openssl("x509", "-in", pair.cert, "-noout", "-serial").decode().strip().split("=")[1]
        index.write_text(f"V\t491231235959Z\t\t{serial}\tunknown\t/CN=any\n")
        openssl("ocsp", "-issuer", self.cert, "-cert", pair.cert, "-reqout", request, "-no_nonce")
        openssl("ocsp", "-index", index, "-rsigner", self.cert, "-rkey", self.key, "-CA", self.cert,
                "-reqin", request, "-respout", answer, "-ndays", str(days))
        return answer

    # -- contexts

    def client(self, alpn=("http/1.1",), pair=None, version=None, ciphers=None, check=True):
        """For somebody who trusts this authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.cert)
        if not check:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if pair:
            context.load_cert_chain(pair.cert, pair.key)
        _pin(context, version, ciphers)
        return context

    def server(self, pair, alpn=("http/1.1",), asks_client=False, version=None):
        """For a replica."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.cert, pair.key)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if asks_client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.cert)
        _pin(context, version, None)
        return context


def _pin(context, version, ciphers):
    if version:
        exact = {"1.0": ssl.TLSVersion.TLSv1, "1.1": ssl.TLSVersion.TLSv1_1, "1.2": ssl.TLSVersion.TLSv1_2,
                 "1.3": ssl.TLSVersion.TLSv1_3}[version]
        context.minimum_version = context.maximum_version = exact
    if ciphers:
        context.set_ciphers(ciphers)


class Guarded:
    """A TLS socket that one thread may read while others write: OpenSSL's objects do not bear that by themselves."""

    def __init__(self, sock, limit=60.0):
        self.tls, self.lock, self.limit = sock, threading.Lock(), seconds(limit)
        sock.setblocking(False)

    def settimeout(self, limit):
        self.limit = limit

    def _again(self, act, *arguments):
        end = time.monotonic() + self.limit if self.limit is not None else None
        while True:
            try:
                with self.lock:
                    return act(*arguments)
            except ssl.SSLWantReadError:
                waiting = ([self.tls], [])
            except ssl.SSLWantWriteError:
                waiting = ([], [self.tls])
            left = None if end is None else max(0, end - time.monotonic())
            if not any(select.select(*waiting, [], left)):
                raise TimeoutError("TLS socket")

    def recv(self, count):
        try:
            return self._again(self.tls.recv, count)
        except ssl.SSLEOFError:
            return b""

    def sendall(self, data):
        view = memoryview(data)
        while view:
            view = view[self._again(self.tls.send, view):]

    def __getattr__(self, name):
        return getattr(self.tls, name)


class TlsClient(Client):
    """A raw HTTP/1 client over TLS."""

    def __init__(self, address, context, server_name="test.example", limit=20.0, session=None):
        sock = socket.create_connection(address, timeout=seconds(limit))
        no_delay(sock)
        try:
            self.socket = context.wrap_socket(sock, server_hostname=server_name, session=session)
        except Exception:
            sock.close()
            raise
        self.stream = Stream(self.socket)
        self.port = self.socket.getsockname()[1]

    def certificate(self):
        return self.socket.getpeercert(binary_form=True)


def handshake_fails(daemon, context, server_name="test.example"):
    """The text of the failure; fails if it succeeds. With TLS 1.3 a refusal of the client shows at the first read."""
    try:
        with TlsClient(daemon.address, context, server_name) as client:
            client.get("/")
    except (ssl.SSLError, ConnectionError, OSError, EOFError) as fault:
        return str(fault)
    except Exception as fault:
        if type(fault).__name__ in ("Closed", "Truncated"):
            return str(fault)
        raise
    raise AssertionError("the handshake succeeds")


def s_client(daemon, *arguments, stdin=b"", server_name="test.example"):
    """What `openssl s_client` prints of a connection with these options, whether it succeeds or not."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{daemon.place.port}",
                           "-servername", server_name, *map(str, arguments)],
                          input=stdin, capture_output=True, timeout=seconds(60))
    return (done.stdout + done.stderr).decode("utf-8", "replace")


def listener(*pairs, more=""):
    """The TLS table of the listener of config.whole()."""
    entries = ", ".join(pair if isinstance(pair, str) else pair.toml() for pair in pairs)
    return f"[listener.tls]\ncertificates = [{entries}]\n{more}\n"


__all__ = ["Authority", "Guarded", "Pair", "TlsClient", "handshake_fails", "listener", "openssl", "s_client"]
