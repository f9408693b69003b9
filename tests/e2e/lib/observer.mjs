// SPDX-License-Identifier: Apache-2.0
// Stands before the daemon, knows which calls are in flight (POSTs whose response has not ended) and which replica
// answered a session last, and lets a test strike at chosen moments: before a call is handed on, or when it is.
import { listen, pass_on } from './pass_on.mjs';

/** An observer before the server on `port`. */
export class Observer {
  #running = new Set();
  #struck = new Set();
  #is_striking = false;
  #owners = new Map();
  #server;

  /** `before(owner)` is awaited before a call is handed on, `during(owner)` called when it has been. */
  async start(port, { before = () => {}, during = () => {} }) {
    this.#server = await listen(async (request, response) => {
      const session = request.headers['mcp-session-id'];
      const is_call = request.method === 'POST';
      const owner = this.#owners.get(session);
      if (is_call) await before(owner);
      if (is_call) this.#follow(response);
      pass_on(port, request, response, (answer) => this.#learn(session, answer.headers));
      if (is_call) during(owner);
    });
    return this;
  }

  get url() {
    return this.#server.url;
  }

  /** How many calls were in flight during one of the strikes so far. */
  get struck() {
    return this.#struck.size;
  }

  /** Runs `strike`; every call in flight before its end counts as struck. */
  async striking(strike) {
    this.#is_striking = true;
    for (const call of this.#running) this.#struck.add(call);
    try {
      return await strike();
    } finally {
      this.#is_striking = false;
    }
  }

  close() {
    this.#server.close();
  }

  #follow(call) {
    this.#running.add(call);
    if (this.#is_striking) this.#struck.add(call);
    call.once('close', () => this.#running.delete(call));
  }

  #learn(session, headers) {
    const id = session ?? headers['mcp-session-id'];
    if (id !== undefined && headers['x-replica']) this.#owners.set(id, headers['x-replica']);
  }
}
