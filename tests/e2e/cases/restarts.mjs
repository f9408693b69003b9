// SPDX-License-Identifier: Apache-2.0
// The same over any restart and any instance: a session is in its token, not in the process.
import assert from 'node:assert/strict';
import { mcp_pool, web_pools } from '../lib/config.mjs';
import { cookie_field, get } from '../lib/http.mjs';
import { Limpet } from '../lib/limpetd.mjs';
import { sdk_kinds, SdkSession } from '../lib/mcp.mjs';

function one_replica(session, what) {
  assert.equal(session.replicas.size, 1, `${what}: met ${[...session.replicas].join(' and ')}`);
}

async function with_instance(context, settings, run) {
  const limpet = await Limpet.make(mcp_pool(context.mcp, { eras: false }) + web_pools(context.web), settings);
  try {
    await limpet.start();
    await run(limpet);
  } finally {
    await limpet.remove();
  }
}

async function restarted(context, signal) {
  await with_instance(context, { workers: 4 }, async (limpet) => {
    const sessions = [];
    for (const kind of [...sdk_kinds, ...sdk_kinds]) {
      sessions.push(await new SdkSession(kind, `${limpet.url}/mcp`).open());
    }
    const first = await get(`${limpet.url}/whoami`);
    const headers = { Cookie: cookie_field(first) };
    for (let round = 0; round < 2; ++round) {
      for (const session of sessions) await session.converse(1);
      await limpet.restart(signal);
      for (const session of sessions) await session.converse(1);
      const again = await get(`${limpet.url}/whoami`, { headers });
      assert.equal(again.headers['x-replica'], first.headers['x-replica'], 'the cookie client moved');
    }
    for (const session of sessions) {
      one_replica(session, 'over a restart');
      await session.end();
    }
  });
}

/** A fetch that sends every other request to the other instance. */
function alternating(urls, sent) {
  let turn = 0;
  return (where, init) => {
    const url = new URL(where);
    url.host = new URL(urls[turn++ % urls.length]).host;
    sent[url.host] = (sent[url.host] ?? 0) + 1;
    return fetch(url, init);
  };
}

async function two_instances(context) {
  await with_instance(context, { keys_file: context.limpet.keys_file }, async (other) => {
    for (const kind of sdk_kinds) {
      for (let number = 0; number < 4; ++number) {
        const sent = {};
        const send = alternating([context.limpet.url, other.url], sent);
        const session = await new SdkSession(kind, context.mcp_url, send).open();
        await session.converse(3);
        one_replica(session, 'between two instances');
        assert.equal(Object.keys(sent).length, 2, 'only one instance was asked');
        await session.end();
      }
    }
    const first = await get(`${context.limpet.url}/whoami`);
    const headers = { Cookie: cookie_field(first) };
    for (let number = 0; number < 10; ++number) {
      const again = await get(`${other.url}/whoami`, { headers });
      assert.equal(again.headers['x-replica'], first.headers['x-replica'], 'the cookie client moved');
    }
  });
}

export const cases = [
  { name: 'restart: sessions of live SDK clients go on after SIGTERM and a new start',
    needs: 'daemon', run: (context) => restarted(context, 'SIGTERM') },
  { name: 'restart: sessions of live SDK clients go on after SIGKILL and a new start',
    needs: 'daemon', run: (context) => restarted(context, 'SIGKILL') },
  { name: 'instances: one session alternates between two processes with the same keys',
    needs: 'daemon', run: two_instances },
];
