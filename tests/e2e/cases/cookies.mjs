// SPDX-License-Identifier: Apache-2.0
// Clients that keep cookies: the rows of the managed ingress.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Skip } from '../lib/check.mjs';
import { curl, has_curl } from '../lib/curl.mjs';
import { cookie_field, cookies_of, get } from '../lib/http.mjs';

const requests = 1000;
const batch = 100;

/** Replicas met by `times` clients without cookies. */
async function met_by_newcomers(url, times) {
  const met = new Set();
  for (let number = 0; number < times; ++number) {
    const response = await get(url);
    assert.equal(response.status, 200);
    met.add(response.headers['x-replica'] ?? response.text);
  }
  return met;
}

async function counter_or_skip(context) {
  if (!(await has_curl())) throw new Skip('curl is not installed');
  if (context.own) return;
  const response = await get(`${context.url}/counter`).catch(() => ({ status: 0 }));
  if (response.status !== 200) throw new Skip(`the gateway has no stateful page at /counter`);
  if (!/^\{.*\}\s*$/.test(response.text)) throw new Skip('/counter does not answer one line of JSON');
}

async function first_request(context) {
  const met = await met_by_newcomers(`${context.url}/whoami`, 8 * context.web.length);  // by turns in each worker
  assert.equal(met.size, context.web.length, `newcomers met only ${[...met].join(' and ')}`);
  const response = await get(`${context.url}/whoami`);
  const cookie = cookies_of(response).get('limpet');
  assert.ok(cookie, `no cookie "limpet": ${response.headers['set-cookie']}`);
  assert.match(cookie.value, /^[\w.~-]{16,}$/, 'the value is cookie-safe');
  const { attributes } = cookie;
  assert.equal(attributes.get('path'), '/');
  assert.equal(attributes.get('samesite')?.toLowerCase(), 'lax');
  assert.ok(attributes.has('httponly'), 'HttpOnly');
  assert.ok(!attributes.has('secure'), 'no Secure on a listener without TLS');
  assert.match(response.headers['limpet-affinity-outcome'] ?? '', /^new\b/);
}

async function cookie_leads_back(context) {
  await counter_or_skip(context);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'limpet-e2e-jar-'));
  try {
    const jar = path.join(folder, 'jar');
    const answers = [];
    while (answers.length < requests) {
      answers.push(...await curl(`${context.url}/counter`, batch, jar));
    }
    assert.equal(answers.length, requests);
    answers.forEach(({ status, connects, body }, at) => {
      assert.equal(status, 200, `request ${at + 1}`);
      assert.equal(connects, 1, `request ${at + 1} used an old connection`);
      assert.equal(body.count ?? body.counter, at + 1, `request ${at + 1} lost its session`);
    });
    const met = new Set(answers.map(({ body }) => body.replica));
    assert.equal(met.size, 1, `one client met ${[...met].join(' and ')}`);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

async function without_cookies(context) {
  await counter_or_skip(context);
  const answers = await curl(`${context.url}/counter`, batch);
  const met = new Set(answers.map(({ body }) => body.replica));
  assert.ok(met.size > 1, `all ${batch} met ${[...met].join(' and ')}`);
}

async function set_only_once(context) {
  const first = await get(`${context.url}/cookies`);
  const headers = { Cookie: `theme=dark; ${cookie_field(first)}; lang=en` };
  const again = await get(`${context.url}/cookies`, { headers });
  assert.equal(again.headers['set-cookie'], undefined, 'the same cookie is set twice');
  assert.match(again.headers['limpet-affinity-outcome'] ?? '', /^hit\b/);
  assert.equal(JSON.parse(again.text).cookie, 'theme=dark; lang=en', 'what the app sees');
}

async function forged_cookie(context) {
  const first = await get(`${context.url}/whoami`);
  const true_field = cookie_field(first);
  const forged = true_field.slice(0, -2) + (true_field.endsWith('AA') ? 'BB' : 'AA');
  for (const cookie of [forged, true_field.slice(0, -6), 'limpet=', 'limpet=0']) {
    const response = await get(`${context.url}/whoami`, { headers: { Cookie: cookie } });
    assert.equal(response.status, 200);
    assert.ok(cookies_of(response).has('limpet'), `${cookie}: no new cookie`);
  }
  const headers = { Cookie: `${forged}; ${true_field}` };
  for (let number = 0; number < 8; ++number) {
    const both = await get(`${context.url}/whoami`, { headers });
    assert.equal(both.headers['x-replica'], first.headers['x-replica'], 'the cookie that verifies counts');
  }
}

async function set_to_none(context) {
  const first = await get(`${context.url}/none/whoami`);
  assert.equal(first.status, 200);
  assert.equal(first.headers['set-cookie'], undefined);
  const met = await met_by_newcomers(`${context.url}/none/whoami`, 60);
  assert.ok(met.size > 1, 'all requests met one replica');
}

async function preset_azure(context) {
  const first = await get(`${context.url}/azure/whoami`);
  const cookies = cookies_of(first);
  assert.deepEqual([...cookies.keys()].sort(), ['ARRAffinity', 'ARRAffinitySameSite']);
  const replica = first.headers['x-replica'];
  for (const [name, { value }] of cookies) {
    for (let number = 0; number < 8; ++number) {
      const headers = { Cookie: `${name}=${value}` };
      const again = await get(`${context.url}/azure/whoami`, { headers });
      assert.equal(again.headers['x-replica'], replica, `${name} leads elsewhere`);
    }
  }
  const free = await get(`${context.url}/azure/free`);
  assert.equal(free.status, 200);
  assert.equal(free.headers['set-cookie'], undefined, 'the app refused affinity');
}

export const cases = [
  { name: 'ingress: the first request goes to any available replica, its response sets the cookie',
    needs: 'daemon', run: first_request },
  { name: `ingress: the cookie leads back, ${requests} fresh curl connections, 4 workers`,
    run: cookie_leads_back },
  { name: 'ingress: without the cookie requests meet more than one replica', run: without_cookies },
  { name: 'ingress: the cookie is set once, and the app does not see it',
    needs: 'daemon', run: set_only_once },
  { name: 'ingress: a forged cookie moves its client, a true one beside it counts',
    needs: 'daemon', run: forged_cookie },
  { name: 'ingress: affinity can be set to none', needs: 'daemon', run: set_to_none },
  { name: 'ingress: preset azure sets ARRAffinity and ARRAffinitySameSite, and obeys the app',
    needs: 'daemon', run: preset_azure },
];
