// SPDX-License-Identifier: Apache-2.0
// A redis-server of the test's own, on a port of loopback, that keeps nothing on disk.
import { spawn } from 'node:child_process';
import net from 'node:net';
import os from 'node:os';
import { Skip } from './check.mjs';
import { adopt, stop } from './processes.mjs';
import { free_port, until } from './wait.mjs';

const ready_ms = 20000;

/** One command, the first line of its answer. */
function ask(port, command) {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: '127.0.0.1', port }, () => socket.write(`${command}\r\n`));
    socket.setEncoding('utf8');
    socket.once('error', reject);
    socket.once('data', (text) => {
      socket.destroy();
      resolve(text.split('\r\n')[0]);
    });
  });
}

/** A running server; `url` goes into limpet's configuration. */
export class Redis {
  async start() {
    while (!(await this.#try_start())) continue;
    return this;
  }

  /** False where somebody else had taken the port. */
  async #try_start() {
    this.port = await free_port();
    const words = ['--port', String(this.port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no',
      '--dir', os.tmpdir()];
    this.child = adopt(spawn('redis-server', words, { stdio: ['ignore', 'pipe', 'pipe'] }));
    let ended = false;
    this.child.gone.then(() => { ended = true; });
    await until(ready_ms, async () => ended || (await ask(this.port, 'PING')) === '+PONG', 'redis-server is ready');
    if (!ended) return true;
    if (/in use/.test(this.child.printed)) return false;
    if (/ENOENT/.test(this.child.printed)) throw new Skip('redis-server is not installed');
    throw new Error(`redis-server ended at start: ${this.child.printed}`);
  }

  get url() {
    return `redis://127.0.0.1:${this.port}/0`;
  }

  /** How many keys it holds. */
  async size() {
    return Number((await ask(this.port, 'DBSIZE')).slice(1));
  }

  kill() {
    return stop(this.child, 'SIGKILL');
  }
}
