// SPDX-License-Identifier: Apache-2.0
// Streams through limpet: WebSocket and SSE, with the real ws package and fetch.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import WebSocket from 'ws';
import { cookie_field, get } from '../lib/http.mjs';
import { within } from '../lib/wait.mjs';

const messages = 50;
const large_bytes = 1024 * 1024;
const deadline_ms = 60000;

function message_at(number) {
  if (number === messages - 1) return randomBytes(large_bytes);
  return number % 2 === 0 ? `text ${number} é 水` : randomBytes(number * 97);
}

/** Sends all at once, then reads all back: both directions are busy at the same time. */
async function websocket_echo(context) {
  const first = await get(`${context.url}/whoami`);
  const replica = first.headers['x-replica'];
  const headers = { Cookie: cookie_field(first) };
  const socket = new WebSocket(`${context.url.replace('http', 'ws')}/echo`, { headers });
  try {
    const upgraded = once(socket, 'upgrade');
    await within(deadline_ms, once(socket, 'open'), 'the WebSocket opens');
    const [handshake] = await upgraded;
    assert.equal(handshake.headers['x-replica'], replica, 'the WebSocket met another replica');
    const sent = [...Array(messages).keys()].map(message_at);
    const received = [];
    const all_back = new Promise((resolve, reject) => {
      socket.on('message', (data, is_binary) => {
        received.push(is_binary ? data : data.toString());
        if (received.length === messages) resolve();
      });
      socket.once('close', (code) => reject(new Error(`closed early with ${code}`)));
    });
    for (const message of sent) socket.send(message);
    await within(deadline_ms, all_back, `${messages} messages come back`);
    sent.forEach((message, at) => {
      const same = Buffer.isBuffer(message) ? message.equals(received[at]) : message === received[at];
      assert.ok(same, `message ${at} came back changed`);
    });
    const closed = once(socket, 'close');
    socket.close(4321, 'done');
    const [code] = await within(deadline_ms, closed, 'the WebSocket closes');
    assert.equal(code, 4321, 'the close code went to the replica and back');
  } finally {
    socket.terminate();
  }
}

/** The replica writes event n + 1 only when the client has seen event n. */
async function sse_at_once(context) {
  const end = new AbortController();
  try {
    const name = `stream-${Math.random()}`;
    const opening = fetch(`${context.url}/events?name=${name}`, { signal: end.signal });
    const response = await within(deadline_ms, opening, 'the head comes before the first event');
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), 'text/event-stream');
    const replica = context.web.find((known) => known.id === response.headers.get('x-replica'));
    const reader = response.body.getReader();
    for (let number = 0; number < messages; ++number) {
      const text = `id: ${number}\ndata: event ${number}\n\n`;
      const { sent } = await replica.ask('event', { stream: name, text });
      assert.ok(sent, 'the replica has lost its stream');
      let seen = '';
      while (seen.length < text.length) {
        const { value, done } = await within(deadline_ms, reader.read(), `event ${number} is seen`);
        assert.ok(!done, `the stream ended before event ${number}`);
        seen += Buffer.from(value).toString();
      }
      assert.equal(seen, text);
    }
  } finally {
    end.abort();
  }
}

export const cases = [
  { name: `websocket: ${messages} messages both ways, one of 1 MiB, to the replica of the cookie`,
    needs: 'daemon', run: websocket_echo },
  { name: 'sse: each event is seen by the client before the replica sends the next',
    needs: 'daemon', run: sse_at_once },
];
