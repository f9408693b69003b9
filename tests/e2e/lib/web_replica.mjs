// SPDX-License-Identifier: Apache-2.0
// A stateful web application, run as a process: sessions live in its memory and nowhere else.
//   /whoami   its name            /counter  a count per session of its own cookie
//   /cookies  the Cookie field    /healthz  200
//   /events   SSE; an event leaves only when the runner says so
//   /echo     WebSocket that sends every message back; with ?name it says the replica's name first
//   /page     a page to open in a browser
import http from 'node:http';
import { randomUUID } from 'node:crypto';
import { WebSocketServer } from 'ws';

const id = process.env.REPLICA_ID;
const counts = new Map();
const streams = new Map();

function answer(response, body, headers = {}) {
  response.writeHead(200, { 'Content-Type': 'application/json', ...headers });
  response.end(JSON.stringify(body) + '\n');
}

function on_counter(request, response) {
  const cookie = /(?:^|;\s*)app=([\w-]+)/.exec(request.headers.cookie ?? '')?.[1];
  const known = counts.has(cookie);
  const session = known ? cookie : randomUUID();
  counts.set(session, (counts.get(session) ?? 0) + 1);
  const headers = known ? {} : { 'Set-Cookie': `app=${session}; Path=/` };
  answer(response, { replica: id, count: counts.get(session) }, headers);
}

function on_events(url, response) {
  const name = url.searchParams.get('name');
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  response.flushHeaders();
  streams.set(name, response);
  response.once('close', () => streams.delete(name));
}

const pages = {
  '/healthz': (request, response) => answer(response, {}),
  '/whoami': (request, response) => answer(response, { replica: id }),
  '/cookies': (request, response) => answer(response, { cookie: request.headers.cookie ?? '' }),
  '/counter': on_counter,
  '/page': (request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/html' });
    response.end('<!doctype html><title>page</title><link rel="icon" href="data:,">\n');
  },
  '/events': (request, response, url) => on_events(url, response),
  '/free': (request, response) =>
    answer(response, { replica: id }, { 'Arr-Disable-Session-Affinity': 'true' }),
};

const server = http.createServer((request, response) => {
  const url = new URL(request.url, 'http://replica');
  const page = pages[url.pathname.replace(/^\/(none|azure)(?=\/)/, '')];
  if (page) return page(request, response, url);
  response.writeHead(404, { 'Content-Type': 'text/plain' }).end('not here\n');
});

const sockets = new WebSocketServer({ server, path: '/echo', maxPayload: 4 * 1024 * 1024 });
sockets.on('headers', (headers) => headers.push(`X-Replica: ${id}`));
sockets.on('connection', (socket, request) => {
  if (request.url.endsWith('?name')) socket.send(id);
  socket.on('message', (data, is_binary) => socket.send(data, { binary: is_binary }));
});

process.on('message', (message) => {
  if (message.ask !== 'event') return;
  const stream = streams.get(message.stream);
  stream?.write(message.text);
  process.send({ answer: message.number, sent: stream !== undefined });
});

server.listen(Number(process.env.PORT ?? 0));
