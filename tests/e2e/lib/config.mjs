// SPDX-License-Identifier: Apache-2.0
// The configuration files under which the tests run the daemon.
import path from 'node:path';

const text = (value) => JSON.stringify(value);  // JSON strings are TOML strings

function replicas(pool, list) {
  return list.map((replica) => [
    `[[pool.${pool}.replica]]`,
    `id = ${text(replica.id)}`,
    `address = ${text(replica.address)}`,
    ...(replica.revision ? [`revision = ${text(replica.revision)}`] : []),
    '',
  ].join('\n')).join('\n');
}

/** The part every instance shares: where it listens, what it owns, how it ends. */
export function base({ home, port, admin_port, workers = 2, keys_file = '', tls }) {
  return `
[daemon]
workers = ${workers}
pin = false
user = ""
state_dir = ${text(path.join(home, 'state'))}
drain_timeout = "1s"

[admin]
bind = "127.0.0.1:${admin_port}"
socket = ${text(path.join(home, 'control.sock'))}

[access_log]
format = "json"
path = ${text(path.join(home, 'access.log'))}

[keys]
file = ${text(keys_file)}

[[listener]]
name = "e2e"
bind = ["127.0.0.1:${port}"]
${tls ? secure_listener(tls) : ''}`;
}

/** A second listener, under TLS; HTTP/2 is agreed by ALPN. */
function secure_listener({ port, cert, key }) {
  return `
[[listener]]
name = "secure"
bind = ["127.0.0.1:${port}"]
[listener.tls]
certificates = [ { cert = ${text(cert)}, key = ${text(key)} } ]
`;
}

/** MCP servers; a session whose replica is gone is refused, or carried over where `carry_over` says so. Without `eras`
 *  replicas are asked nothing but what clients ask. */
export function mcp_pool(list, { carry_over = 'off', store = '', probe = '1s', paths = ['/mcp'], eras = true } = {}) {
  const routes = paths.map((path) => `[[route]]\npath = "${path}"\npool = "mcp"\n`);
  return `
${routes.join('\n')}
[pool.mcp]
preset = "mcp"

[pool.mcp.health]
active = { type = "tcp", interval = ${text(probe)} }
passive = { eject = ${text(probe)} }
initial = "up"

[pool.mcp.mcp]
carry_over = ${text(carry_over)}
probe_eras = ${eras}
${store ? `store = ${text(store)}` : ''}

${replicas('mcp', list)}`;
}

/** Servers of the older HTTP+SSE transport: the stream at /sse, messages to where its endpoint event says. */
export function sse_pool(list, settings = {}) {
  return mcp_pool(list, { ...settings, paths: ['/sse', '/message'] });
}

/** /: gRPC replicas over HTTP/2; `from` is what ties calls together. */
export function grpc_pool(list, { from = [] } = {}) {
  return `
[[route]]
path = "/"
pool = "grpc"

[pool.grpc]
preset = "web"
protocol = "http2"

[pool.grpc.affinity]
from = ${text(from)}
show = true

[pool.grpc.health]
active = { type = "grpc", interval = "200ms", timeout = "10s", rise = 1, fall = 1 }

${replicas('grpc', list)}`;
}

/** By turns, however quick each replica is: for cases that want clients on all of them. */
const evenly = 'balance = { policy = "round-robin", slow_start = "off" }';

/** /, /none/ and /azure/: the same web replicas under three rules of affinity. */
export function web_pools(list) {
  const pool = (name, route, lines) => `
[[route]]
path = "${route}"
pool = "${name}"

[pool.${name}]
${lines}

${replicas(name, list)}`;
  return pool('web', '/', `preset = "web"\naffinity = { show = true }\n${evenly}`)
    + pool('none', '/none', 'preset = "web"\naffinity = { from = [] }')
    + pool('azure', '/azure', 'preset = "azure"');
}

/** /: replicas with revisions, the given shares of new sessions. */
export function revision_pool(shares, list) {
  const pairs = Object.entries(shares).map(([name, share]) => `${text(name)} = ${share}`);
  return `
[[route]]
path = "/"
pool = "web"

[pool.web]
preset = "web"
revisions = { ${pairs.join(', ')} }
${evenly}
health = { active = { type = "off" }, initial = "up" }

${replicas('web', list)}`;
}

/** /: the replicas of a file that is watched. */
export function file_pool(file) {
  return `
[[route]]
path = "/"
pool = "web"

[pool.web]
preset = "web"
health = { active = { type = "off" }, initial = "up" }
discovery = { type = "file", path = ${text(file)} }
${evenly}
`;
}

/** /: the given replicas, changed by reload. */
export function plain_pool(list) {
  return `
[[route]]
path = "/"
pool = "web"

[pool.web]
preset = "web"
health = { active = { type = "off" }, initial = "up" }
${evenly}

${replicas('web', list)}`;
}
