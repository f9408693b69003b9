// SPDX-License-Identifier: Apache-2.0
// The daemon under test as a process: start, readiness, reload, restart, end.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { get } from './http.mjs';
import { adopt, stop } from './processes.mjs';
import { free_port, until } from './wait.mjs';
import { base } from './config.mjs';

const ready_ms = 30000;
const homes = new Set();
const built = fileURLToPath(new URL('../../../build/limpetd', import.meta.url));

/** The program under test: $LIMPETD, else build/limpetd of this tree. */
export const program = path.resolve(process.env.LIMPETD || built);

function remove_home(home) {
  fs.rmSync(home, { recursive: true, force: true });
  homes.delete(home);
}

process.on('exit', () => homes.forEach(remove_home));

/** One instance with its own folder, ports and state. */
export class Limpet {
  #is_started = false;
  #was_started = false;

  /** Makes folder and ports; `pools` is the part of the configuration after base(). */
  static async make(pools, settings = {}) {
    const limpet = new Limpet();
    limpet.home = fs.mkdtempSync(path.join(os.tmpdir(), 'limpet-e2e-'));
    homes.add(limpet.home);
    fs.mkdirSync(path.join(limpet.home, 'state'));
    limpet.file = path.join(limpet.home, 'limpet.toml');
    limpet.settings = { ...settings, home: limpet.home };
    await limpet.#choose_ports();
    limpet.configure(pools);
    return limpet;
  }

  async #choose_ports() {
    this.settings.port = await free_port();
    this.settings.admin_port = await free_port();
    if (this.settings.tls) this.settings.tls = { ...this.settings.tls, port: await free_port() };
  }

  get url() {
    return `http://127.0.0.1:${this.settings.port}`;
  }

  /** The listener under TLS, where settings.tls asks for one. */
  get secure_url() {
    return `https://127.0.0.1:${this.settings.tls.port}`;
  }

  get admin_url() {
    return `http://127.0.0.1:${this.settings.admin_port}`;
  }

  get keys_file() {
    return path.join(this.home, 'state', 'affinity.keys');
  }

  /** Replaces the configuration file in one step; a running instance does not see it before reload(). */
  configure(pools) {
    this.pools = pools;
    fs.writeFileSync(this.file + '.new', base(this.settings) + pools);
    fs.renameSync(this.file + '.new', this.file);
  }

  /** Starts the process and waits until it is ready. Ports that somebody took before its first start are chosen anew. */
  async start() {
    for (let left = this.#was_started ? 0 : 5; !(await this.#try_start()); --left) {
      const is_taken = /in use/.test(this.child.printed);
      if (!is_taken || left === 0) throw new Error(`${program} ended at start:\n${this.child.printed}`);
      await this.#choose_ports();
      this.configure(this.pools);
    }
    this.#was_started = true;
    this.#is_started = true;
    return this;
  }

  /** False where it ended. */
  async #try_start() {
    this.child = adopt(spawn(program, ['-c', this.file], { stdio: ['ignore', 'pipe', 'pipe'] }));
    let ended = false;
    this.child.gone.then(() => { ended = true; });
    await until(ready_ms, async () => ended || (await this.#is_ready()), `${program} is ready`)
      .catch((error) => { throw new Error(`${error.message}\n${this.child.printed}`); });
    return !ended;
  }

  /** Ends the process by `signal` and says how it ended. */
  stop(signal = 'SIGTERM') {
    this.#is_started = false;
    return stop(this.child, signal);
  }

  /** Ends the process and starts it on the same ports and state. */
  async restart(signal) {
    await this.stop(signal);
    return this.start();
  }

  /** SIGHUP; what follows from it is for the caller to await. */
  reload() {
    this.child.kill('SIGHUP');
  }

  /** Ends the process if it lives, and removes its folder. A process that had ended by itself is an error. */
  async remove() {
    const was_started = this.#is_started;
    const end = this.child ? await this.stop().catch((error) => ({ error })) : {};
    remove_home(this.home);
    if (!was_started || end.code === 0) return;
    const how = end.error?.message ?? `it ended with ${end.signal ?? `code ${end.code}`}`;
    throw new Error(`${program}: ${how}\n${this.child.printed.slice(-2000)}`);
  }

  /** The value of a metric whose labels contain all of `labels`, or undefined. */
  async metric(name, labels = {}) {
    const { text } = await get(`${this.admin_url}/metrics`);
    const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
    const fitting = lines.filter((line) => wanted.every((pair) => line.includes(pair)));
    if (fitting.length === 0) return undefined;
    return fitting.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  /** Whether a replica takes requests. */
  async takes(pool, replica) {
    return (await this.metric('limpet_replica_up', { pool, replica })) === 1;
  }

  /** The lines of the access log so far. */
  access_log() {
    const text = fs.readFileSync(path.join(this.home, 'access.log'), 'utf8');
    return text.split('\n').slice(0, -1).map((line) => JSON.parse(line));
  }

  async #is_ready() {
    const ready = await get(`${this.admin_url}/readyz`);
    if (ready.status !== 200) throw new Error(`/readyz answers ${ready.status}: ${ready.text}`);
    await get(`${this.url}/`);
    return true;
  }
}
