// SPDX-License-Identifier: Apache-2.0
// The official gRPC client with promises: what a call answered, and the metadata before and after it.
import { once } from 'node:events';
import http2 from 'node:http2';
import grpc from '@grpc/grpc-js';
import { Sticky } from '../grpc/services.mjs';
import { within } from './wait.mjs';

const call_ms = 30000;
export const { status } = grpc;

/** Metadata of plain pairs. */
export function metadata(fields = {}) {
  const made = new grpc.Metadata();
  for (const [name, value] of Object.entries(fields)) made.set(name, value);
  return made;
}

/** A client on one connection of its own; it repeats nothing by itself. `pem` makes it TLS. */
export class GrpcClient {
  constructor(address, pem) {
    const credentials = pem ? grpc.credentials.createSsl(pem) : grpc.credentials.createInsecure();
    this.stub = new Sticky(address, credentials, {
      ...(pem ? { 'grpc.ssl_target_name_override': 'localhost' } : {}),
      'grpc.enable_retries': 0,
      'grpc.use_local_subchannel_pool': 1,
    });
  }

  /** A call with one answer; a failed one rejects with { code, details, metadata }. */
  unary(method, request, { fields = {}, ms = call_ms } = {}) {
    return new Promise((resolve, reject) => {
      const heard = {};
      const deadline = Date.now() + ms;
      const call = this.stub[method](request, metadata(fields), { deadline }, (error, answer) => {
        heard.answer = answer;
        if (error) reject(error);
      });
      call.once('metadata', (initial) => { heard.initial = initial; });
      call.once('status', (end) => { if (end.code === status.OK) resolve({ ...heard, end }); });
    });
  }

  /** Opens a call that streams both ways or from the replica. */
  stream(method, request) {
    return new Stream(request ? this.stub[method](request) : this.stub[method]());
  }

  /** Streams `requests` and returns the one answer. */
  sum(values) {
    return new Promise((resolve, reject) => {
      const call = this.stub.Sum((error, answer) => (error ? reject(error) : resolve(answer)));
      for (const value of values) call.write({ value });
      call.end();
    });
  }

  close() {
    this.stub.close();
  }
}

/** A running call whose answers are taken one by one. */
class Stream {
  #answers = [];
  #end;
  #wake = () => {};

  constructor(call) {
    this.call = call;
    call.on('data', (answer) => { this.#answers.push(answer); this.#wake(); });
    call.on('error', () => {});
    call.on('status', (end) => { this.#end = end; this.#wake(); });
  }

  /** The next answer, or undefined after the last; `end` is its status then. */
  next() {
    return within(call_ms, this.#next(), 'the next answer of a stream');
  }

  get end() {
    return this.#end;
  }

  async #next() {
    while (this.#answers.length === 0 && this.#end === undefined) {
      await new Promise((resolve) => { this.#wake = resolve; });
    }
    return this.#answers.shift();
  }
}

/** A gRPC request by bare HTTP/2: head and trailers as they come. */
export async function bare_call(origin, path) {
  const session = http2.connect(origin);
  session.on('error', () => {});
  try {
    const stream = session.request({
      ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers',
    });
    let trailers = {};
    stream.on('trailers', (fields) => { trailers = fields; });
    stream.end(Buffer.alloc(5));
    const [head] = await within(call_ms, once(stream, 'response'), `head of the answer to ${path}`);
    stream.resume();
    await within(call_ms, once(stream, 'close'), `end of the answer to ${path}`);
    return { head, trailers };
  } finally {
    session.destroy();
  }
}
