// SPDX-License-Identifier: Apache-2.0
// Preload of every replica: it listens on loopback only, tells its port to the runner, names itself in a
// response header and counts what reaches it. The replica's own program is not changed.
'use strict';
const http = require('node:http');
const net = require('node:net');

globalThis.crypto ??= require('node:crypto').webcrypto; // Debian 12's Node 18 has it in the module only

const id = process.env.REPLICA_ID ?? 'unnamed';
const sockets = new Set();
let closed_bytes = 0;
let requests = 0;
const sessions = {};

function on_connection(socket) {
  sockets.add(socket);
  socket.once('close', () => {
    sockets.delete(socket);
    closed_bytes += socket.bytesRead;
  });
}

function on_request(request, response) {
  requests += 1;
  response.setHeader('X-Replica', id);
  const session = request.headers['mcp-session-id'];
  if (session === undefined) return;
  sessions[session] ??= {};
  sessions[session][request.method] = (sessions[session][request.method] ?? 0) + 1;
}

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function listen_on_loopback(first, ...rest) {
  const port = first?.port ?? first;
  const is_port = typeof port === 'number' || (typeof port === 'string' && /^\d+$/.test(port));
  if (!is_port) return listen.call(this, first, ...rest);
  const on_listening = rest.find((argument) => typeof argument === 'function');
  if (this instanceof http.Server) {
    this.on('connection', on_connection);
    this.prependListener('request', on_request);
  }
  this.once('listening', () => process.send?.({ port: this.address().port }));
  return listen.call(this, { port: Number(port), host: '127.0.0.1' }, on_listening);
};

process.on('message', (message) => {
  if (message.ask !== 'counts') return;
  let bytes = closed_bytes;
  for (const socket of sockets) bytes += socket.bytesRead;
  process.send({ answer: message.number, bytes, requests, sessions });
});
process.on('disconnect', () => process.exit(0));  // the runner is gone
