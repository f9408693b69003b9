// SPDX-License-Identifier: Apache-2.0
// Headless Chromium, driven over a pair of pipes in the DevTools protocol; it resolves no name and asks nobody but
// loopback.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Skip } from './check.mjs';
import { adopt, stop } from './processes.mjs';
import { until, within } from './wait.mjs';

const answer_ms = 30000;
const words = [
  '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-extensions',
  '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-default-apps',
  '--no-first-run', '--no-default-browser-check', '--metrics-recording-only', '--mute-audio',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1', '--ignore-certificate-errors',
  '--remote-debugging-pipe', 'about:blank',
];
const program = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(fs.existsSync);

/** One browser process with one page; events of the page are collected in `events`. */
export class Browser {
  #number = 0;
  #asked = new Map();
  #read = '';
  events = [];

  async start() {
    if (!program) throw new Skip('chromium is not installed');
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'limpet-e2e-browser-'));
    this.child = adopt(spawn(program, [`--user-data-dir=${this.folder}`, ...words],
      { stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'], env: { ...process.env, HOME: this.folder } }));
    this.child.stdio[3].on('error', () => {});
    this.child.stdio[4].setEncoding('utf8').on('data', (part) => this.#on_data(part));
    const { targetInfos } = await this.#ask('Target.getTargets');
    const { targetId } = targetInfos.find((target) => target.type === 'page');
    ({ sessionId: this.page } = await this.#ask('Target.attachToTarget', { targetId, flatten: true }));
    for (const domain of ['Page', 'Network', 'Runtime']) await this.ask(`${domain}.enable`);
    return this;
  }

  /** Sends a command to the page and returns its result. */
  ask(method, params = {}) {
    return this.#ask(method, params, this.page);
  }

  /** Opens `url` and returns its response as the browser saw it. */
  async open(url) {
    const { errorText, loaderId } = await this.ask('Page.navigate', { url });
    if (errorText) throw new Error(`${url}: ${errorText}`);
    const { response } = await this.event('Network.responseReceived', (params) => params.requestId === loaderId);
    await until(answer_ms, async () => (await this.run(() => `${document.readyState} ${location.href}`)) ===
      `complete ${url}`, `${url} is loaded`);
    return response;
  }

  /** The first event of that name, seen already or still to come, for which `fits` is true. */
  async event(name, fits) {
    const find = () => this.events.find((event) => event.method === name && fits(event.params));
    return (await until(answer_ms, find, `an event ${name} of the browser`)).params;
  }

  /** Runs an async function in the page, with arguments that survive JSON, and returns what it answers. */
  async run(body, ...values) {
    const expression = `(${body})(...${JSON.stringify(values)})`;
    const { result, exceptionDetails } = await this.ask('Runtime.evaluate',
      { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) {
      throw new Error(`in the page: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
    }
    return result.value;
  }

  async stop() {
    if (!this.child) return;
    await this.#ask('Browser.close').catch(() => {});
    await stop(this.child);
    await until(answer_ms, () => this.#remove_folder(), 'the folder of the browser is gone');
  }

  /** Its helpers may still write for a moment; then the folder cannot be removed. */
  #remove_folder() {
    fs.rmSync(this.folder, { recursive: true, force: true });
    return true;
  }

  #ask(method, params = {}, sessionId = undefined) {
    const id = ++this.#number;
    const answered = new Promise((resolve, reject) => this.#asked.set(id, { resolve, reject }));
    this.child.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    const ended = this.child.gone.then(() => {
      throw new Error(`chromium ended: ${this.child.printed.slice(-2000)}`);
    });
    return within(answer_ms, Promise.race([answered, ended]), `the browser's answer to ${method}`);
  }

  #on_data(part) {
    const messages = (this.#read + part).split('\0');
    this.#read = messages.pop();
    for (const message of messages.map((text) => JSON.parse(text))) {
      if (message.id === undefined) {
        this.events.push(message);
        continue;
      }
      const { resolve, reject } = this.#asked.get(message.id);
      this.#asked.delete(message.id);
      if (message.error) reject(new Error(message.error.message));
      else resolve(message.result);
    }
  }
}
