// SPDX-License-Identifier: Apache-2.0
// Many small replicas inside the runner, for cases that add and remove them. Each answers its id;
// /hold is answered only when release() is called.
import http from 'node:http';

/** One listening server with an id; `address` goes into a configuration. */
export class LittleReplica {
  #held = [];

  constructor(id, fields = {}) {
    Object.assign(this, { id, ...fields });
    this.server = http.createServer((request, response) => {
      response.setHeader('X-Replica', id);
      if (request.url.startsWith('/hold')) this.#held.push(response);
      else response.end(`${id}\n`);
    });
  }

  get is_holding() {
    return this.#held.length > 0;
  }

  async start() {
    await new Promise((resolve) => this.server.listen({ host: '127.0.0.1', port: 0 }, resolve));
    this.address = `127.0.0.1:${this.server.address().port}`;
    return this;
  }

  release() {
    for (const response of this.#held.splice(0)) response.end(`${this.id} was held\n`);
  }

  stop() {
    this.server.close();
    this.server.closeAllConnections();
  }
}

/** Starts `number` of them, r1, r2, …; `fields` of each by its position. */
export function start_little_replicas(number, fields = () => ({})) {
  const made = [...Array(number).keys()].map((at) => new LittleReplica(`r${at + 1}`, fields(at)));
  return Promise.all(made.map((replica) => replica.start()));
}
