// SPDX-License-Identifier: Apache-2.0
// The official conformance suite through limpet: what passes against one server passes against several.
import assert from 'node:assert/strict';
import { mcp_pool } from '../lib/config.mjs';
import { run_suite } from '../lib/conformance.mjs';
import { Limpet } from '../lib/limpetd.mjs';
import { Observer } from '../lib/observer.mjs';
import { start_replicas } from '../lib/replicas.mjs';
import { start_round_robin } from '../lib/round_robin.mjs';
import { until } from '../lib/wait.mjs';

const session_era = '2025-11-25';
const modern_era = '2026-07-28';
const checks_of_session_era = 84;
const pace = 8;
const kills_min = 8;
const up_ms = 60000;
const direct = new Map();

async function with_fixtures(number, run) {
  const replicas = await start_replicas('fixture', number, 'fixture-');
  try {
    return await run(replicas);
  } finally {
    await Promise.all(replicas.map((replica) => replica.kill()));
  }
}

/** What the suite finds against one fixture with nothing in between; asked once a revision. */
function directly(revision) {
  if (!direct.has(revision)) {
    direct.set(revision, with_fixtures(1, ([replica]) => run_suite(`http://${replica.address}/mcp`, revision)));
  }
  return direct.get(revision);
}

function none(list, what) {
  assert.equal(list.length, 0, `${list.length} scenarios ${what}; ${list.join('; ')}`);
}

async function passes_directly() {
  const found = await directly(session_era);
  none(found.failing, 'fail');
  assert.equal(found.passed, checks_of_session_era, 'checks that pass');
}

async function with_limpet(number, settings, run) {
  await with_fixtures(number, async (replicas) => {
    const limpet = await Limpet.make(mcp_pool(replicas, settings));
    try {
      await limpet.start();
      await run(limpet, replicas);
    } finally {
      await limpet.remove();
    }
  });
}

async function same_through_limpet(number, revision) {
  const expected = await directly(revision);
  await with_limpet(number, {}, async (limpet) => {
    const found = await run_suite(`${limpet.url}/mcp`, revision);
    none(found.differing(expected), 'differ from a direct run');
    if (revision === session_era) assert.equal(found.passed, checks_of_session_era, 'checks that pass');
  });
}

async function sprayed() {
  await with_fixtures(2, async (replicas) => {
    const spray = await start_round_robin(replicas.map((replica) => replica.port));
    try {
      const found = await run_suite(`${spray.url}/mcp`, session_era);
      assert.ok(found.failed > checks_of_session_era / 4, `only ${found.failed} checks fail without affinity`);
    } finally {
      spray.close();
    }
  });
}

/** Kills replicas one after the other, never two at a time: with every `pace`th call, the owner of its session. */
class Fire {
  kills = 0;
  #calls = 0;
  #back = Promise.resolve();

  constructor(limpet, replicas, observer) {
    Object.assign(this, { limpet, replicas, observer });
  }

  /** Whether this call is one to strike with; all replicas are up then. */
  async is_due() {
    this.#calls += 1;
    if (this.#calls % pace !== 0) return false;
    await this.#back;
    return true;
  }

  async strike(owner) {
    const in_turn = this.replicas[this.kills % this.replicas.length];
    const victim = this.replicas.find((replica) => replica.id === owner) ?? in_turn;
    this.kills += 1;
    await this.observer.striking(() => victim.kill());
    this.#back = this.#bring_back(victim);
    this.#back.catch(() => {});
  }

  /** Waits until the replica killed last is up again. */
  end() {
    return this.#back;
  }

  async #bring_back(victim) {
    await victim.start(victim.port);
    await until(up_ms, () => this.limpet.takes('mcp', victim.id), `limpet takes up ${victim.id} again`);
  }
}

/** When a replica is killed: before a call of its session is handed on, or while that call is in flight. */
const moments = {
  'between calls': (fire) => ({
    before: async (owner) => { if (await fire().is_due()) await fire().strike(owner); },
  }),
  'during calls': (fire) => {
    let is_due = false;
    return {
      before: async () => { is_due = await fire().is_due(); },
      during: (owner) => { if (is_due) fire().strike(owner); },
    };
  },
};

async function under_fire(revision, moment) {
  const expected = await directly(revision);
  await with_limpet(3, { carry_over: 'compatible', probe: '200ms' }, async (limpet, replicas) => {
    const observer = new Observer();
    const fire = new Fire(limpet, replicas, observer);
    await observer.start(limpet.settings.port, moments[moment](() => fire));
    try {
      const found = await run_suite(`${observer.url}/mcp`, revision);
      await fire.end();
      const name_of = (line) => line.slice(0, line.indexOf(':'));
      const fails_anyway = new Set(expected.failing.map(name_of));
      const failing = found.failing.filter((line) => !fails_anyway.has(name_of(line)));
      assert.equal(found.scenarios.size, expected.scenarios.size, 'scenarios that were run');
      assert.ok(fire.kills >= kills_min, `only ${fire.kills} kills`);
      assert.ok(failing.length <= observer.struck, `${failing.length} scenarios fail; ${
        observer.struck} calls were in flight at ${fire.kills} kills; ${failing.join('; ')}`);
      none(failing.filter((line) => line.includes('did not complete')), 'hang');
    } finally {
      observer.close();
    }
  });
}

export const cases = [
  { name: `conformance: ${session_era} directly: ${checks_of_session_era} of ${checks_of_session_era} checks pass`,
    needs: 'daemon', own: true, run: passes_directly },
  { name: `conformance: ${session_era}, control: over 2 replicas round robin it fails`,
    needs: 'daemon', own: true, run: sprayed },
  ...[2, 5].flatMap((number) => [session_era, modern_era].map((revision) => (
    { name: `conformance: ${revision} through limpet over ${number} replicas: check for check as directly`,
      needs: 'daemon', own: true, run: () => same_through_limpet(number, revision) }))),
  ...[session_era, modern_era].flatMap((revision) => Object.keys(moments).map((moment) => (
    { name: `conformance: ${revision} while replicas are killed ${moment}: no more fails than calls were in flight`,
      needs: 'daemon', own: true, run: () => under_fire(revision, moment) }))),
];
