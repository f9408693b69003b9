// SPDX-License-Identifier: Apache-2.0
// A real browser: WebSocket over HTTP/1.1 and over HTTP/2 (RFC 8441), and cookies that lead back over both.
import assert from 'node:assert/strict';
import { Browser } from '../lib/browser.mjs';
import { certificate } from '../lib/certificate.mjs';
import { web_pools } from '../lib/config.mjs';
import { Limpet } from '../lib/limpetd.mjs';
import { start_replicas } from '../lib/replicas.mjs';
import { until } from '../lib/wait.mjs';

const messages = 40;
const large_bytes = 256 * 1024;
const sockets = 5;
const deadline_ms = 60000;

async function with_browser(settings, run) {
  const browser = new Browser();
  const replicas = await start_replicas('web', 3, 'web-');
  const limpet = await Limpet.make(web_pools(replicas), settings);
  try {
    await Promise.all([browser.start(), limpet.start()]);
    await run(browser, limpet);
  } finally {
    await browser.stop();
    await limpet.remove();
    await Promise.all(replicas.map((replica) => replica.kill()));
  }
}

/** In the page: sends texts and bytes, collects what comes back, and closes with a code. */
async function talk_in_page(url, number, bytes) {
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  const came = [];
  const message_at = (at) => (at % 2 === 0 ? `text ${at} é 水` : new Uint8Array(bytes).fill(at));
  const sent = [...Array(number).keys()].map(message_at);
  const done = new Promise((resolve, reject) => {
    socket.onmessage = ({ data }) => {
      came.push(data);
      if (came.length === number + 1) socket.close(4321, 'done');
    };
    socket.onclose = ({ code }) => resolve(code);
    socket.onerror = () => reject(new Error(`the WebSocket failed after ${came.length} messages`));
  });
  socket.onopen = () => sent.forEach((message) => socket.send(message));
  const code = await done;
  const [replica, ...echoes] = came;
  const wrong = sent.findIndex((message, at) => {
    if (typeof message === 'string') return echoes[at] !== message;
    const echo = new Uint8Array(echoes[at]);
    return echo.length !== message.length || echo.some((value, place) => value !== message[place]);
  });
  return { replica, code, wrong, came: came.length };
}

async function fetch_in_page(path) {
  const response = await fetch(path);
  return { status: response.status, replica: (await response.json()).replica };
}

/** Opens the page, a few WebSockets and some fetches: all meet one replica, which is returned. */
async function browse(browser, origin) {
  const response = await browser.open(`${origin}/page`);
  assert.equal(response.status, 200);
  const { replica } = await browser.run(fetch_in_page, '/whoami');
  const url = `${origin.replace('http', 'ws')}/echo?name`;
  for (let number = 0; number < sockets; ++number) {
    const talk = await browser.run(talk_in_page, url, messages, number === 0 ? large_bytes : number);
    assert.equal(talk.wrong, -1, `message ${talk.wrong} of ${talk.came} came back changed`);
    assert.equal(talk.code, 4321, 'the close code');
    assert.equal(talk.replica, replica, 'the WebSocket met another replica');
    const again = await browser.run(fetch_in_page, '/whoami');
    assert.equal(again.replica, replica, 'the page met another replica');
  }
  return { replica, protocol: response.protocol };
}

/** The protocol of every WebSocket in the access log. */
async function logged_protocols(limpet) {
  const lines = () => limpet.access_log().filter((line) => line.path === '/echo');
  await until(deadline_ms, () => lines().length >= sockets, 'the WebSockets are in the access log');
  return [...new Set(lines().map((line) => line.protocol))];
}

async function over_http1() {
  await with_browser({}, async (browser, limpet) => {
    const { protocol } = await browse(browser, limpet.url);
    assert.equal(protocol, 'http/1.1');
    assert.deepEqual(await logged_protocols(limpet), ['HTTP/1.1']);
  });
}

async function over_http2() {
  const { cert, key } = await certificate();
  await with_browser({ tls: { cert, key } }, async (browser, limpet) => {
    const { protocol } = await browse(browser, limpet.secure_url);
    assert.equal(protocol, 'h2');
    assert.deepEqual(await logged_protocols(limpet), ['HTTP/2.0'], 'the protocol of the WebSockets');
  });
}

/** A cookie belongs to a host, whatever the port: the session of the plain page is that of the secure one. */
async function one_session_over_both() {
  const { cert, key } = await certificate();
  await with_browser({ tls: { cert, key } }, async (browser, limpet) => {
    const plain = await browse(browser, limpet.url);
    const secure = await browse(browser, limpet.secure_url);
    assert.deepEqual([plain.protocol, secure.protocol], ['http/1.1', 'h2']);
    assert.equal(secure.replica, plain.replica, 'over HTTP/2 the browser met another replica');
  });
}

export const cases = [
  { name: 'browser: WebSocket over HTTP/1.1, the cookie leads every one back',
    needs: 'daemon', own: true, run: over_http1 },
  { name: 'browser: WebSocket over HTTP/2, the cookie leads every one back',
    needs: 'daemon', own: true, run: over_http2 },
  { name: 'browser: one session over HTTP/1.1 and HTTP/2', needs: 'daemon', own: true, run: one_session_over_both },
];
