// SPDX-License-Identifier: Apache-2.0
// Replicas as processes: the official MCP server in both of its modes, the fixture for the conformance suite, a small
// stateful web application and a gRPC server.
import { fork } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { adopt, stop } from './processes.mjs';
import { until, within } from './wait.mjs';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const preload = here('../loopback.cjs');
const start_ms = 60000;
const answer_ms = 30000;

const everything = createRequire(import.meta.url).resolve('@modelcontextprotocol/server-everything/dist/index.js');

const programs = {
  mcp: [everything, ['streamableHttp']],
  mcp_sse: [everything, ['sse']],
  fixture: [here('../fixture/server.mjs'), []],
  web: [here('web_replica.mjs'), []],
  grpc: [here('../grpc/replica.mjs'), []],
};

/** One replica process; its port comes from the kernel. */
export class Replica {
  #number = 0;

  constructor(id, kind) {
    this.id = id;
    this.kind = kind;
  }

  get address() {
    return `127.0.0.1:${this.port}`;
  }

  /** Starts the process; `port` 0 lets the kernel choose. A port that somebody has for a moment is waited for. */
  async start(port = 0) {
    return until(start_ms, async () => {
      try {
        return await this.#try_start(port);
      } catch (error) {
        if (/EADDRINUSE/.test(error.message)) return false;
        throw Object.assign(error, { is_final: true });
      }
    }, `start of ${this.id}`);
  }

  async #try_start(port) {
    const [program, args] = programs[this.kind];
    this.child = adopt(fork(program, args, {
      execArgv: ['-r', preload],
      env: { PATH: process.env.PATH, REPLICA_ID: this.id, PORT: String(port) },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    }));
    const listening = new Promise((resolve) => {
      this.child.on('message', (message) => message.port && resolve(message.port));
    });
    const died = this.child.gone.then(() => {
      throw new Error(`replica ${this.id} ended at start: ${this.child.printed}`);
    });
    died.catch(() => {});
    this.port = await within(start_ms, Promise.race([listening, died]), `start of ${this.id}`);
    return this;
  }

  /** Sends a question to the process over its channel and returns the answer. */
  ask(question, fields = {}) {
    const number = ++this.#number;
    const answered = new Promise((resolve) => {
      const on_message = (message) => {
        if (message.answer !== number) return;
        this.child.off('message', on_message);
        resolve(message);
      };
      this.child.on('message', on_message);
    });
    this.child.send({ ask: question, number, ...fields });
    return within(answer_ms, answered, `answer of ${this.id} to "${question}"`);
  }

  /** What reached the process so far: bytes, requests, and methods by session id. */
  counts() {
    return this.ask('counts');
  }

  /** Ends the process as a crash does. */
  kill() {
    return stop(this.child, 'SIGKILL');
  }

  /** Ends the process and starts it again at the same address; it has forgotten everything. */
  async restart(signal = 'SIGKILL') {
    await stop(this.child, signal);
    return this.start(this.port);
  }
}

/** Starts `number` replicas of a kind, named a, b, c, … after `prefix`. */
export function start_replicas(kind, number, prefix) {
  const names = [...Array(number).keys()].map((at) => prefix + String.fromCharCode(97 + at));
  return Promise.all(names.map((name) => new Replica(name, kind).start()));
}
