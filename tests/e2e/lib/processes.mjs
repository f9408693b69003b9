// SPDX-License-Identifier: Apache-2.0
// Processes that the runner starts: each is remembered, and stopped by its pid, whatever happens.
import { within } from './wait.mjs';

const living = new Set();
const log_bytes_max = 64 * 1024;

/** Takes charge of a child process; keeps the end of what it prints. */
export function adopt(child) {
  living.add(child);
  child.printed = '';
  child.gone = new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', (error) => {
      child.printed += error.message;
      resolve({ code: null, signal: null });
    });
  }).finally(() => living.delete(child));
  for (const pipe of [child.stdout, child.stderr]) {
    pipe?.setEncoding('utf8').on('data', (text) => {
      child.printed = (child.printed + text).slice(-log_bytes_max);
    });
  }
  return child;
}

/** Asks a child to end, insists after the deadline, and returns how it ended. */
export async function stop(child, signal = 'SIGTERM', ms = 15000) {
  if (living.has(child)) child.kill(signal);
  try {
    return await within(ms, child.gone, `process ${child.pid} after ${signal}`);
  } catch (error) {
    child.kill('SIGKILL');
    await child.gone;
    throw error;
  }
}

/** Ends every child that still lives. */
export async function stop_all() {
  await Promise.allSettled([...living].map((child) => stop(child, 'SIGKILL')));
}

process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => process.exit(1));
}
