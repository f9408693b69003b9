// SPDX-License-Identifier: Apache-2.0
// The configuration files under which the tests run the daemon.
import os from 'node:os';
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
export function base({ home, port, admin_port, workers = 2, keys_file = '' }) {
  return `
[daemon]
workers = ${workers}
pin = false
user = ${text(os.userInfo().username)}
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
`;
}

/** /mcp: the official servers; a session whose replica is gone is refused, not carried over. */
export function mcp_pool(list) {
  return `
[[route]]
path = "/mcp"
pool = "mcp"

[pool.mcp]
preset = "mcp"

[pool.mcp.health]
active = { type = "tcp", interval = "1s" }
initial = "up"

[pool.mcp.mcp]
carry_over = "off"

${replicas('mcp', list)}`;
}

/** /, /none/ and /azure/: the same web replicas under three rules of affinity. */
export function web_pools(list) {
  const pool = (name, route, lines) => `
[[route]]
path = "${route}"
pool = "${name}"

[pool.${name}]
${lines}

${replicas(name, list)}`;
  return pool('web', '/', 'preset = "web"\naffinity = { show = true }')
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

${replicas('web', list)}`;
}
