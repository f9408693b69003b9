// SPDX-License-Identifier: Apache-2.0
// A gRPC server run as a replica: HTTP/2 by prior knowledge. Every answer names it in its initial metadata.
import grpc from '@grpc/grpc-js';
import { Health, Sticky } from './services.mjs';

const id = process.env.REPLICA_ID;
const calls_by_user = new Map();
const seen = { cancelled: 0, deadline_ms: 0, probes: 0 };
let health = 'SERVING';

function greet(call) {
  const metadata = new grpc.Metadata();
  metadata.set('x-replica', id);
  call.sendMetadata(metadata);
}

function farewell() {
  const trailers = new grpc.Metadata();
  trailers.set('x-farewell', `from ${id}`);
  return trailers;
}

function echo(call, callback) {
  greet(call);
  const [user = ''] = call.metadata.get('x-user');
  const number = (calls_by_user.get(user) ?? 0) + 1;
  calls_by_user.set(user, number);
  const { text, body } = call.request;
  callback(null, { replica: id, text, number, body }, farewell());
}

function fail(call, callback) {
  const { code, message } = call.request;
  callback({ code, details: message, metadata: farewell() });
}

function hold(call) {
  seen.deadline_ms = call.getDeadline() - Date.now();
  call.on('cancelled', () => { seen.cancelled += 1; });
}

function count_to(call) {
  greet(call);
  for (let number = 1; number <= call.request.value; ++number) call.write({ replica: id, number });
  call.end(farewell());
}

function stall(call) {
  greet(call);
  call.write({ replica: id, number: 1 });
}

function sum(call, callback) {
  greet(call);
  let number = 0;
  call.on('data', ({ value }) => { number += value; });
  call.on('end', () => callback(null, { replica: id, number }, farewell()));
}

function talk(call) {
  greet(call);
  let number = 0;
  call.on('data', ({ text }) => call.write({ replica: id, text, number: ++number }));
  call.on('end', () => {
    call.write({ replica: id, text: 'all', number });
    call.end(farewell());
  });
}

const server = new grpc.Server();
server.addService(Sticky.service,
  { Echo: echo, Fail: fail, Hold: hold, CountTo: count_to, Stall: stall, Sum: sum, Talk: talk });
server.addService(Health.service, {
  Check(call, callback) {
    seen.probes += 1;
    callback(null, { status: health });
  },
});

process.on('message', (message) => {
  if (message.ask === 'health') health = message.state;
  if (message.ask === 'health' || message.ask === 'seen') process.send({ answer: message.number, ...seen });
});

server.bindAsync(`127.0.0.1:${process.env.PORT ?? 0}`, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
});
