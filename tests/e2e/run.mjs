// SPDX-License-Identifier: Apache-2.0
// The runner of the end-to-end tests. See README.md for its arguments.
import { webcrypto } from 'node:crypto';
import fs from 'node:fs';
import { inspect, parseArgs } from 'node:util';
import { Skip } from './lib/check.mjs';
import { mcp_pool, web_pools } from './lib/config.mjs';
import { Limpet, program } from './lib/limpetd.mjs';
import { stop_all } from './lib/processes.mjs';
import { start_replicas } from './lib/replicas.mjs';
import { within } from './lib/wait.mjs';
import { cases as browser } from './cases/browser.mjs';
import { cases as carry_over } from './cases/carry_over.mjs';
import { cases as changes } from './cases/changes.mjs';
import { cases as conformance } from './cases/conformance.mjs';
import { cases as cookies } from './cases/cookies.mjs';
import { cases as grpc } from './cases/grpc.mjs';
import { cases as instances } from './cases/instances.mjs';
import { cases as loss } from './cases/loss.mjs';
import { cases as refusals } from './cases/refusals.mjs';
import { cases as restarts } from './cases/restarts.mjs';
import { cases as sessions } from './cases/sessions.mjs';
import { cases as sse_sessions } from './cases/sse_sessions.mjs';
import { cases as streams } from './cases/streams.mjs';

globalThis.crypto ??= webcrypto; // Debian 12's Node 18 has it in the module only
const case_ms = 300000;
const lanes = 2;
const all = [
  ...sessions, ...refusals, ...restarts, ...cookies, ...streams,
  ...sse_sessions, ...changes, ...loss, ...carry_over, ...instances, ...grpc, ...browser, ...conformance,
];
const tally = { passed: 0, failed: 0, skipped: 0 };

const { values: options } = parseArgs({ options: {
  only: { type: 'string', default: '' },
  list: { type: 'boolean', default: false },
} });

const shown = (value) => inspect(value, { breakLength: Infinity, maxStringLength: 300 });

/** What went wrong; a failed comparison also says what was compared. */
function reason_of(error) {
  if (error.code !== 'ERR_ASSERTION') return error.message;
  const [first] = error.message.split('\n');
  const { operator, actual, expected } = error;
  if (operator === '==') return first;
  return `${first} (${operator}: is ${shown(actual)}, expected ${shown(expected)})`;
}

/** One line for the case; what follows the first line of the reason stands indented below. */
function print_failure(name, error) {
  const [first, ...rest] = String(reason_of(error)).split('\n');
  console.log(`FAIL ${name}: ${first}`);
  for (const line of rest) console.log(`     ${line}`);
}

async function run_case(one, context) {
  const name = one.name;
  try {
    if (one.needs === 'daemon' && context.reason) throw new Skip(context.reason);
    await within(case_ms, one.run(context), 'the case');
    tally.passed += 1;
    console.log(`ok   ${name}`);
  } catch (error) {
    if (error instanceof Skip) {
      tally.skipped += 1;
      console.log(`skip ${name}: ${error.message}`);
      return;
    }
    tally.failed += 1;
    print_failure(name, error);
    if (process.env.E2E_TRACE) console.log(error.stack);
  }
}

/** The client half: any gateway that somebody else runs. */
function gateway_context(address) {
  const url = new URL(address);
  const path = url.pathname.replace(/\/+$/, '');
  return {
    own: false,
    url: url.origin,
    mcp_url: url.origin + (path || '/mcp'),
    reason: "needs limpet's own processes and configuration, and a gateway was given",
  };
}

/** Everything of our own: three replicas of each kind and limpet with four workers before them. */
async function own_context() {
  if (!fs.existsSync(program)) throw new Error(`there is no ${program}: run make, or set LIMPETD`);
  const [mcp, web] = await Promise.all([
    start_replicas('mcp', 3, 'mcp-'),
    start_replicas('web', 3, 'web-'),
  ]);
  const limpet = await Limpet.make(mcp_pool(mcp, { eras: false }) + web_pools(web), { workers: 4 });
  await limpet.start();
  return { own: true, url: limpet.url, mcp_url: `${limpet.url}/mcp`, mcp, web, limpet };
}

/** Cases with `own` have processes of their own and run beside others; the rest shares a context, one at a time. */
async function run_all(chosen, context) {
  const own = chosen.filter((one) => one.own);
  const shared = chosen.filter((one) => !one.own);
  const drain = async (queue) => {
    for (let one = queue.shift(); one; one = queue.shift()) await run_case(one, context);
  };
  const lane = (number) => (number === 0 ? drain(shared).then(() => drain(own)) : drain(own));
  await Promise.all([...Array(lanes).keys()].map(lane));
}

async function limpet_lives(context) {
  const { limpet } = context;
  if (!limpet) throw new Skip(context.reason);
  const { code, signal } = await limpet.stop();
  const printed = limpet.child.printed.trim();
  if (code !== 0) throw new Error(`it ended with ${signal ?? `code ${code}`}\n${printed.slice(-4000)}`);
}

async function main() {
  const chosen = all.filter((one) => one.name.includes(options.only));
  if (options.list) return chosen.forEach((one) => console.log(one.name));
  let context;
  try {
    const address = process.env.GATEWAY_URL;
    context = address ? gateway_context(address) : await own_context();
  } catch (error) {
    tally.failed += 1;
    print_failure('limpet starts and is ready', error);
    context = { reason: 'limpet did not start' };
    for (const one of chosen) one.needs = 'daemon';
  }
  await run_all(chosen, context);
  const ending = 'limpet: SIGTERM drains and ends it with 0 after all of this';
  if (context.limpet) await run_case({ name: ending, run: limpet_lives }, context);
  await context.limpet?.remove();
}

await main();
await stop_all();
if (!options.list) {
  console.log(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`);
}
process.exit(tally.failed === 0 ? 0 : 1);
