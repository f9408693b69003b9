// SPDX-License-Identifier: Apache-2.0
// Waiting: always for a condition, always with a deadline.
import net from 'node:net';

const pause_ms = 20;

/** How much slower than usual the program under test is, with sanitizers say; for what has to happen at once. */
export const slow_factor = Number(process.env.LIMPET_TEST_SLOW_FACTOR ?? 1);

/** Settles as `promise` does, or rejects after `ms` milliseconds naming what was awaited. */
export function within(ms, promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end after ${ms} ms: ${what}`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Asks `condition` again and again until it answers something true; that answer is returned. An error of it is tried
 *  again like a false answer, but for one that `is_final`. */
export async function until(ms, condition, what) {
  const deadline = Date.now() + ms;
  let last = '';
  for (;;) {
    try {
      const answer = await condition();
      if (answer) return answer;
    } catch (error) {
      if (error.is_final) throw error;
      last = `; last error: ${error.message}`;
    }
    if (Date.now() > deadline) throw new Error(`not so after ${ms} ms: ${what}${last}`);
    await new Promise((resolve) => setTimeout(resolve, pause_ms));
  }
}

const given = new Set();

/** A loopback port that was free a moment ago, and is given out once a run. */
export async function free_port() {
  for (;;) {
    const port = await ask_for_port();
    if (given.has(port)) continue;
    given.add(port);
    return port;
  }
}

function ask_for_port() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port: 0 }, () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
