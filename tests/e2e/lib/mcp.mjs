// SPDX-License-Identifier: Apache-2.0
// MCP clients: the official SDKs v1 and v2 behind one face, and a bare one for what no SDK would send.
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport as TransportV1 }
  from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 }
  from '@modelcontextprotocol/client';
import { until } from './wait.mjs';

const call_ms = 30000;
const who = { name: 'limpet-e2e', version: '1' };
const identity_names = ['REPLICA_ID', 'CONTAINER_APP_REPLICA_NAME', 'HOSTNAME'];

const call_v1 = (client, request, options) => client.callTool(request, undefined, options);

const kinds = {
  v1: {
    make: (url, fetch) => [new ClientV1(who), new TransportV1(url, { fetch })],
    call: call_v1,
  },
  'v1 sse': {
    make: (url, fetch) => [new ClientV1(who), new SSEClientTransport(url, { fetch })],
    call: call_v1,
  },
  v2: {
    make: (url, fetch) => [new ClientV2(who), new TransportV2(url, { fetch })],
    call: (client, request, options) => client.callTool(request, options),
  },
};

/** The SDK generations that speak Streamable HTTP. */
export const sdk_kinds = ['v1', 'v2'];

/** A session of an SDK client. `met` is the replica that answered the last POST, `replicas` all that answered. */
export class SdkSession {
  constructor(kind, url, send = fetch) {
    this.replicas = new Set();
    this.met = undefined;
    this.patience_ms = call_ms;
    this.kind = kinds[kind];
    const observed = async (where, init) => {
      const response = await send(where, init);
      const replica = response.headers.get('x-replica');
      if (replica) this.#meet(replica, init?.method);
      return response;
    };
    [this.client, this.transport] = this.kind.make(new URL(url), observed);
  }

  async open() {
    await this.client.connect(this.transport, { timeout: this.patience_ms });
    this.tools = (await this.#list()).map((tool) => tool.name);
    return this;
  }

  /** Calls a tool and returns the text of its first content. */
  async call(name, args = {}) {
    const exact = this.tools.includes(name) ? name : undefined;
    const tool = exact ?? this.tools.find((known) => known.endsWith(name));
    if (!tool) throw new Error(`the replica has no tool "${name}"`);
    const request = { name: tool, arguments: args };
    const result = await this.kind.call(this.client, request, { timeout: this.patience_ms });
    if (result.isError) throw new Error(`${name}: ${JSON.stringify(result.content)}`);
    return result.content[0].text;
  }

  has(name) {
    return this.tools.some((known) => known.endsWith(name));
  }

  /** Several different calls; each answer is checked. */
  async converse(rounds) {
    for (let round = 0; round < rounds; ++round) {
      if (this.has('echo')) {
        const word = `word ${round} of ${Math.random()}`;
        const echoed = await this.call('echo', { message: word });
        if (!echoed.includes(word)) throw new Error(`echo answered ${echoed}`);
      } else {
        await this.#call_any();
      }
      if (this.has('get-sum')) {
        const sum = await this.call('get-sum', { a: round, b: 40 });
        if (!sum.includes(String(round + 40))) throw new Error(`get-sum answered ${sum}`);
      }
      await this.#list();
      if (this.has('get-env')) this.#note(JSON.parse(await this.call('get-env')));
    }
  }

  /** Ends the session at the replica (DELETE, where the transport has that), then the client. */
  async end() {
    await this.transport.terminateSession?.();
    await this.client.close();
  }

  #meet(replica, method = 'POST') {
    if (method === 'POST') this.met = replica;
    this.replicas.add(replica);
  }

  async #list() {
    const { tools } = await this.client.listTools(undefined, { timeout: this.patience_ms });
    return tools;
  }

  /** For servers that have no echo: a tool that needs no argument. */
  async #call_any() {
    const tools = await this.#list();
    const tool = tools.find((known) => (known.inputSchema.required ?? []).length === 0);
    if (!tool) throw new Error('the server has no tool that can be called without arguments');
    await this.call(tool.name);
  }

  #note(environment) {
    const name = identity_names.find((known) => environment[known]);
    if (name) this.#meet(environment[name]);
  }
}

const media = 'application/json, text/event-stream';

/** The JSON-RPC message with `id` in a response body, JSON or SSE. */
function message_in(type, text, id) {
  if (!type.includes('text/event-stream')) return JSON.parse(text);
  const lines = text.split(/\r?\n/).filter((line) => /^data: *[^ ]/.test(line));
  return lines.map((line) => JSON.parse(line.slice(5))).find((message) => message.id === id);
}

/** One bare request; never waits longer than the deadline. */
export async function raw(url, method, { session, body, headers = {}, signal } = {}) {
  const fields = { Accept: method === 'GET' ? 'text/event-stream' : media, ...headers };
  if (body !== undefined) fields['Content-Type'] = 'application/json';
  if (session !== undefined) {
    fields['Mcp-Session-Id'] = session;
    fields['MCP-Protocol-Version'] = '2025-11-25';
  }
  const response = await fetch(url, {
    method,
    headers: fields,
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: signal ?? AbortSignal.timeout(call_ms),
  });
  response.replica = response.headers.get('x-replica');
  response.session = response.headers.get('mcp-session-id');
  return response;
}

/** A bare JSON-RPC request; returns the response with `message` read from it. */
export async function raw_call(url, session, method, { params = {}, id = 1 } = {}) {
  const response = await raw(url, 'POST', { session, body: { jsonrpc: '2.0', id, method, params } });
  const text = await response.text();
  try {
    response.message = message_in(response.headers.get('content-type') ?? '', text, id);
  } catch {
    throw new Error(`${method}: status ${response.status}, body is no JSON-RPC: ${text}`);
  }
  return response;
}

/** Opens a session by hand: initialize and its notification; returns id and replica. */
export async function raw_open(url) {
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: who };
  const opened = await raw_call(url, undefined, 'initialize', { params, id: 0 });
  if (opened.status !== 200 || !opened.session) {
    throw new Error(`initialize: status ${opened.status}, session id ${opened.session}`);
  }
  const body = { jsonrpc: '2.0', method: 'notifications/initialized' };
  const noted = await raw(url, 'POST', { session: opened.session, body });
  if (noted.status !== 202) throw new Error(`initialized: status ${noted.status}`);
  await noted.arrayBuffer();
  return { id: opened.session, replica: opened.replica };
}

/** tools/call of echo by hand. */
export function raw_echo(url, session, id = 2, message = 'hello') {
  return raw_call(url, session, 'tools/call', { params: { name: 'echo', arguments: { message } }, id });
}

/** Reads an SSE stream until its text contains `wanted`. */
export async function read_until(stream, wanted) {
  const decoder = new TextDecoder();
  let text = '';
  for await (const part of stream.body) {
    text += decoder.decode(part, { stream: true });
    if (text.includes(wanted)) return text;
  }
  throw new Error(`the stream ended without "${wanted}": ${text}`);
}

/** Opens sessions until every replica holds at least one: replica id to session id. */
export async function session_on_each(url, replicas, ms = 60000) {
  const sessions = new Map();
  await until(ms, async () => {
    const { id, replica } = await raw_open(url);
    sessions.set(replica, id);
    return sessions.size === replicas.length;
  }, 'every replica holds a session');
  return sessions;
}
