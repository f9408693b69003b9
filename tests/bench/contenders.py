# SPDX-License-Identifier: Apache-2.0
"""The proxies that are measured: how each is found, configured and started.

For like with like each has one worker, adds X-Forwarded-For, logs no request, keeps connections to
the replicas and takes the four in turn (sticky: keeps a session on its replica by a cookie). Under
TLS each keeps its own defaults for tickets and ciphers; the load offers one cipher only.
"""

import base64
import getpass
import os
import resource
import shutil
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build", "bench")
DESCRIPTORS = resource.getrlimit(resource.RLIMIT_NOFILE)[1]


class Contender:
    """One proxy. Its `settings`: listen_port, replica_ports, folder, certificate (cert, key, both),
    is_sticky, is_stream, is_tls, is_h2 (the clients), is_to_h2 (the replicas); port() gives
    further free ports."""

    binary = ""            # a name on the path, or a file
    version_option = ""
    needs_cookie = True    # to be sticky

    def __init__(self, name, binary=""):
        self.name = name
        self.path = self.find(binary or self.binary)

    @staticmethod
    def find(binary):
        """The program's path, or nothing where it is missing."""
        places = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
        return shutil.which(binary, path=places)

    def version(self):
        """The first line of what the program says of itself."""
        if not self.version_option:
            return "relays of the bench that only forward"
        said = subprocess.run([self.path, self.version_option], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
        return (said.stdout.strip().splitlines() or ["unknown version"])[0].split(" - ")[0]

    def lacks(self, workload):
        """What the proxy cannot do of a workload, in words; nothing where it can do it all."""
        return ""

    def command(self, settings):
        """The command line; the program must stay in the foreground."""
        raise NotImplementedError

    def configuration(self, settings):
        """The text of the configuration file, settings.folder/config; none by default."""
        return ""


class Floor(Contender):
    """Our own relays: floor parses nothing, and is sticky by nature (one replica connection per
    client's); floor_h2 and floor_to_h2 are nghttp2 and nothing else."""

    binary = os.path.join(BUILD, "floor")
    needs_cookie = False

    def command(self, settings):
        program = [self.path]
        if settings.is_h2:
            program = [self.path + "_h2"]
        elif settings.is_to_h2:
            program = [self.path + "_to_h2"]
        elif settings.is_handshake:
            program.append("--pool")
        if settings.is_tls:
            program += ["--tls", settings.certificate.cert, settings.certificate.key]
        return [*program, str(settings.listen_port), *map(str, settings.replica_ports)]


class Haproxy(Contender):
    """http-no-delay where events are streamed: without it they wait for up to 200 ms."""

    binary = "haproxy"
    version_option = "-v"

    def command(self, settings):
        return [self.path, "-db", "-f", settings.folder + "/config"]

    def configuration(self, settings):
        no_delay = "  option http-no-delay" if settings.is_stream else ""
        cookie = "  cookie app insert indirect nocache" if settings.is_sticky else ""
        protocol = " proto h2" if settings.is_to_h2 else ""
        servers = "\n".join(
            f"  server s{i} 127.0.0.1:{port}{protocol}" +
            (f" cookie s{i}" if settings.is_sticky else "")
            for i, port in enumerate(settings.replica_ports))
        speaks = " proto h2" if settings.is_h2 else ""
        if settings.is_tls:
            speaks = f" ssl crt {settings.certificate.both} alpn h2,http/1.1"
        connections = (DESCRIPTORS - 400) // 2
        return f"""
global
  nbthread 1
  maxconn {connections}
defaults
  mode http
  option forwardfor
{no_delay}
  http-reuse always
  timeout connect 5s
  timeout client 5m
  timeout server 5m
  timeout http-keep-alive 5m
frontend web
  bind 127.0.0.1:{settings.listen_port}{speaks}
  default_backend app
backend app
  balance roundrobin
{cookie}
{servers}
"""


class Nginx(Contender):
    """Has no sticky cookie before 1.29.6: a random cookie of its own making, hashed to a replica.
    Closes idle connections when fewer than a sixteenth of worker_connections is left."""

    binary = "nginx"
    version_option = "-v"

    def lacks(self, workload):
        return "HTTP/2 to replicas" if workload.replicas == "http2" else ""

    def command(self, settings):
        return [self.path, "-p", settings.folder, "-e", settings.folder + "/error.log",
                "-c", settings.folder + "/config"]

    def configuration(self, settings):
        servers = "\n".join(f"    server 127.0.0.1:{port};" for port in settings.replica_ports)
        user = "user root;" if os.geteuid() == 0 else ""
        places = "\n".join(f"  {kind}_temp_path {settings.folder}/{kind};" for kind in
                           ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        speaks, certificate = " http2" if settings.is_h2 else "", ""
        if settings.is_tls:
            speaks = " ssl http2"
            certificate = (f"    ssl_certificate {settings.certificate.cert};\n"
                           f"    ssl_certificate_key {settings.certificate.key};\n"
                           f"    ssl_protocols TLSv1.2 TLSv1.3;")
        sticky, give = "", ""
        if settings.is_sticky:
            sticky = "    hash $session consistent;"
            give = "      add_header Set-Cookie $new_session;"
        return f"""
{user}
daemon off;
worker_processes 1;
pid {settings.folder}/pid;
events {{ worker_connections {2 * DESCRIPTORS}; }}
http {{
{places}
  access_log off;
  keepalive_timeout 5m;
  keepalive_requests 1000000000;
  map $cookie_app $session {{ default $cookie_app; "" $request_id; }}
  map $cookie_app $new_session {{ default ""; "" "app=$request_id; Path=/"; }}
  upstream app {{
{sticky}
{servers}
    keepalive 1100;
    keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{settings.listen_port}{speaks} backlog=4096;
{certificate}
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_max_temp_file_size 0;
    proxy_read_timeout 5m;
    location / {{
      proxy_pass http://app;
{give}
    }}
    location /sse {{
      proxy_pass http://app;
      proxy_buffering off;
    }}
  }}
}}
"""


class Nghttpx(Contender):
    """nghttp2's proxy."""

    binary = "nghttpx"
    version_option = "--version"

    def command(self, settings):
        return [self.path, "--conf=" + settings.folder + "/config"]

    def configuration(self, settings):
        sticky = ";affinity=cookie;affinity-cookie-name=app" if settings.is_sticky else ""
        protocol = "h2" if settings.is_to_h2 else "http/1.1"
        replicas = "\n".join(f"backend=127.0.0.1,{port};/;proto={protocol}{sticky}"
                             for port in settings.replica_ports)
        speaks, certificate = ";no-tls", ""
        if settings.is_tls:
            speaks = ""
            certificate = (f"private-key-file={settings.certificate.key}\n"
                           f"certificate-file={settings.certificate.cert}\n"
                           f"no-ocsp=yes")
        return f"""
frontend=127.0.0.1,{settings.listen_port}{speaks}
{certificate}
{replicas}
workers=1
single-process=yes
single-thread=yes
backlog=4096
add-x-forwarded-for=yes
accesslog-file=/dev/null
errorlog-file={settings.folder}/error.log
pid-file={settings.folder}/pid
frontend-read-timeout=5m
frontend-http2-read-timeout=5m
frontend-keep-alive-timeout=5m
backend-read-timeout=5m
backend-keep-alive-timeout=5m
"""


class Limpet(Contender):
    """limpet with its ordinary chain of modules; no probes, since nobody else has them on."""

    binary = os.path.join(ROOT, "build", "limpetd")
    version_option = "--version"

    def command(self, settings):
        return [self.path, "-c", settings.folder + "/config"]

    def frame(self, settings):
        """The configuration but for routes and pools."""
        keys = settings.folder + "/affinity.keys"
        with open(os.open(keys, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(base64.b64encode(bytes(range(32))) + b"\n")
        tls = ""
        if settings.is_tls:
            tls = (f'[listener.tls]\ncertificates = [{{ cert = "{settings.certificate.cert}", '
                   f'key = "{settings.certificate.key}" }}]\n')
        return f"""
[daemon]
workers = 1
pin = false
user = "{getpass.getuser()}"
state_dir = "{settings.folder}"
log_level = "warning"

[admin]
bind = "127.0.0.1:{settings.port()}"
socket = "{settings.folder}/control.sock"

[access_log]
format = "off"

[keys]
file = "{keys}"

[timeouts]
client_idle = "5m"
client_stall = "5m"
response_head = "5m"
response_body = "5m"
replica_idle = "5m"

[[listener]]
name = "web"
bind = ["127.0.0.1:{settings.listen_port}"]
{"http2 = true" if settings.is_h2 else ""}
{tls}
"""

    def configuration(self, settings):
        sources = '"cookie"' if settings.is_sticky else ""
        return self.frame(settings) + f"""
[[route]]
path = "/"
pool = "app"

[pool.app]
preset = "web"
protocol = "{"http2" if settings.is_to_h2 else "http1"}"

[pool.app.affinity]
from = [{sources}]

[pool.app.balance]
policy = "round-robin"
slow_start = "off"
{self.replicas("app", settings.replica_ports)}
"""

    @staticmethod
    def replicas(pool, ports):
        """The replicas of a pool, without probes."""
        return f"""
[pool.{pool}.health]
active = {{ type = "off" }}
initial = "up"

""" + "\n".join(f'[[pool.{pool}.replica]]\nid = "s{i}"\naddress = "127.0.0.1:{port}"'
                for i, port in enumerate(ports))


KINDS = {"floor": Floor, "haproxy": Haproxy, "nginx": Nginx, "nghttpx": Nghttpx, "limpet": Limpet}


def choose(names):
    """The contenders of a list such as "floor,nginx,limpet=build/limpetd,nginx-new=/opt/nginx".

    A name's part before the first dash says what kind of proxy it is.
    """
    chosen = []
    for entry in names.split(","):
        name, _, binary = entry.partition("=")
        kind = KINDS.get(name.split("-")[0])
        if kind is None:
            raise ValueError(f"unknown contender {name}; there are {', '.join(KINDS)}")
        chosen.append(kind(name, os.path.abspath(binary) if binary else ""))
    return chosen
