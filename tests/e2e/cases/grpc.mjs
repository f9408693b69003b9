// SPDX-License-Identifier: Apache-2.0
// gRPC end to end: the official client and server, over HTTP/2 on both sides.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { certificate } from '../lib/certificate.mjs';
import { at_once } from '../lib/check.mjs';
import { grpc_pool } from '../lib/config.mjs';
import { bare_call, GrpcClient, status } from '../lib/grpc.mjs';
import { Limpet } from '../lib/limpetd.mjs';
import { start_replicas } from '../lib/replicas.mjs';
import { slow_factor, until } from '../lib/wait.mjs';

const large_bytes = 1024 * 1024;
const numbers = 500;
const rounds = 50;
const users = 30;
const deadline_ms = 60000;
const patience_ms = 2000;
const at_once_ms = 2000 * slow_factor;

/** Three replicas behind limpet, which has a plain listener and one under TLS. */
async function with_own(settings, run) {
  const replicas = await start_replicas('grpc', 3, 'grpc-');
  const { cert, key, pem } = await certificate();
  const limpet = await Limpet.make(grpc_pool(replicas, settings), { tls: { cert, key } });
  const clients = [];
  const client = (address, root) => {
    clients.push(new GrpcClient(address, root));
    return clients.at(-1);
  };
  try {
    await limpet.start();
    await run({
      limpet,
      replicas,
      plain: () => client(`127.0.0.1:${limpet.settings.port}`),
      secure: () => client(`127.0.0.1:${limpet.settings.tls.port}`, pem),
    });
  } finally {
    for (const one of clients) one.close();
    await limpet.remove();
    await Promise.all(replicas.map((replica) => replica.kill()));
  }
}

async function failure_of(promise) {
  return promise.then(() => assert.fail('the call succeeded'), (error) => error);
}

async function unary_calls(client) {
  const body = randomBytes(large_bytes);
  const { answer, initial, end } = await client.unary('Echo', { text: 'é 水', body });
  assert.equal(answer.text, 'é 水');
  assert.ok(answer.body.equals(body), 'a large message came back changed');
  assert.deepEqual(initial.get('x-replica'), [answer.replica], 'metadata before the answer');
  assert.deepEqual(end.metadata.get('x-farewell'), [`from ${answer.replica}`], 'trailers');
  const error = await failure_of(client.unary('Fail', { code: status.FAILED_PRECONDITION, message: 'not é yet' }));
  assert.equal(error.code, status.FAILED_PRECONDITION);
  assert.equal(error.details, 'not é yet');
  assert.match(error.metadata.get('x-farewell')[0], /^from /, 'trailers of a failed call');
}

async function streaming_calls(client) {
  const counting = client.stream('CountTo', { value: numbers });
  for (let number = 1; number <= numbers; ++number) assert.equal((await counting.next())?.number, number);
  assert.equal(await counting.next(), undefined);
  assert.equal(counting.end.code, status.OK);
  assert.match(counting.end.metadata.get('x-farewell')[0], /^from /);
  const answer = await client.sum([...Array(numbers).keys()]);
  assert.equal(answer.number, numbers * (numbers - 1) / 2);
  const talking = client.stream('Talk');
  for (let round = 1; round <= rounds; ++round) {
    talking.call.write({ text: `round ${round}` });
    const reply = await talking.next();
    assert.equal(reply?.text, `round ${round}`, 'each text is answered before the next is sent');
  }
  talking.call.end();
  assert.equal((await talking.next())?.text, 'all', 'an answer after the end of the texts');
  assert.equal(await talking.next(), undefined);
  assert.equal(talking.end.code, status.OK);
}

async function directly() {
  const [replica] = await start_replicas('grpc', 1, 'grpc-');
  const client = new GrpcClient(replica.address);
  try {
    await unary_calls(client);
    await streaming_calls(client);
  } finally {
    client.close();
    await replica.kill();
  }
}

function through(listener) {
  return () => with_own({}, async (own) => {
    const client = own[listener]();
    await unary_calls(client);
    await streaming_calls(client);
    const met = new Set();
    await until(deadline_ms, async () => {
      const answers = await Promise.all([...Array(rounds * 2)].map(() => client.unary('Echo', { text: 'x' })));
      for (const { answer } of answers) met.add(answer.replica);
      return met.size === own.replicas.length;
    }, 'calls on one connection meet all replicas');
  });
}

async function deadlines() {
  await with_own({}, async ({ plain, secure, replicas }) => {
    for (const client of [plain(), secure()]) {
      const total = async (field) => (await Promise.all(replicas.map((replica) => replica.ask('seen'))))
        .reduce((sum, seen) => sum + seen[field], 0);
      await client.unary('Echo', { text: 'the connection is there' });
      const before = await total('cancelled');
      const error = await failure_of(client.unary('Hold', { text: 'x' }, { ms: patience_ms }));
      assert.equal(error.code, status.DEADLINE_EXCEEDED);
      await until(deadline_ms, async () => (await total('cancelled')) === before + 1, 'the replica sees the call end');
      const told = await Promise.all(replicas.map((replica) => replica.ask('seen')));
      assert.ok(told.some((seen) => seen.deadline_ms > 0 && seen.deadline_ms <= patience_ms),
        'no replica was told the deadline');
    }
  });
}

async function affinity_by_header() {
  await with_own({ from: ['header:x-user'] }, async ({ plain, secure }) => {
    const clients = [plain(), plain(), secure()];
    const used = new Set();
    for (let number = 0; number < users; ++number) {
      const fields = { 'x-user': `user-${number}` };
      const replies = [];
      for (const client of [...clients, ...clients]) {
        replies.push((await client.unary('Echo', { text: 'x' }, { fields })).answer);
      }
      replies.forEach((reply, at) => {
        assert.equal(reply.replica, replies[0].replica, `user ${number} met two replicas`);
        assert.equal(reply.number, at + 1, `the replica has lost what user ${number} did before`);
      });
      used.add(replies[0].replica);
    }
    assert.ok(used.size > 1, 'all users met one replica');
  });
}

async function affinity_by_cookie() {
  await with_own({ from: ['cookie'] }, async ({ plain, secure }) => {
    for (const make of [plain, secure]) {
      const { answer, initial } = await make().unary('Echo', { text: 'x' });
      const [field = ''] = initial.get('set-cookie');
      assert.match(String(field), /^limpet=[\w.~-]{16,};/, 'the cookie in the metadata');
      const fields = { cookie: String(field).split(';')[0] };
      for (let round = 0; round < rounds; ++round) {
        const again = await make().unary('Echo', { text: 'x' }, { fields });
        assert.equal(again.answer.replica, answer.replica, 'the cookie leads elsewhere');
        assert.deepEqual(again.initial.get('set-cookie'), [], 'the same cookie is set twice');
      }
    }
  });
}

async function health_probes() {
  await with_own({}, async ({ limpet, plain, replicas }) => {
    const client = plain();
    const [sick] = replicas;
    const takes = (wanted) => until(deadline_ms, async () => (await limpet.takes('grpc', sick.id)) === wanted,
      `limpet ${wanted ? 'takes up' : 'lets off'} ${sick.id}`);
    assert.ok((await sick.ask('seen')).probes > 0, 'the replica was not probed');
    await sick.ask('health', { state: 'NOT_SERVING' });
    await takes(false);
    for (let round = 0; round < rounds; ++round) {
      const { answer } = await client.unary('Echo', { text: 'x' });
      assert.notEqual(answer.replica, sick.id, 'a call met the replica that does not serve');
    }
    await sick.ask('health', { state: 'SERVING' });
    await takes(true);
    await until(deadline_ms, async () => (await client.unary('Echo', { text: 'x' })).answer.replica === sick.id,
      'calls meet the replica again');
  });
}

async function dead_replicas() {
  await with_own({}, async ({ limpet, plain, secure, replicas }) => {
    const clients = [plain(), secure()];
    const running = clients.map((client) => client.stream('Stall', { text: 'x' }));
    for (const stream of running) assert.equal((await stream.next()).number, 1);
    await Promise.all(replicas.map((replica) => replica.kill()));
    for (const stream of running) {
      assert.equal(await stream.next(), undefined);
      assert.notEqual(stream.end.code, status.OK, 'a stream that was cut looks whole');
    }
    for (const client of clients) {
      const refused = async () => {
        const error = await failure_of(client.unary('Echo', { text: 'x' }));
        assert.equal(error.code, status.UNAVAILABLE, error.message);
      };
      await at_once(at_once_ms, refused, 'the refusal');
    }
    const { head, trailers } = await bare_call(limpet.url, '/e2e.Sticky/Echo');
    assert.equal(head[':status'], 200, 'a refused gRPC call has the status in its trailers');
    assert.match(head['content-type'], /^application\/grpc/);
    assert.equal(head['grpc-status'] ?? trailers['grpc-status'], String(status.UNAVAILABLE));
  });
}

export const cases = [
  { name: 'grpc, control: every kind of call directly', needs: 'daemon', own: true, run: directly },
  { name: 'grpc: every kind of call over h2c, calls of one connection meet all replicas',
    needs: 'daemon', own: true, run: through('plain') },
  { name: 'grpc: every kind of call over TLS, calls of one connection meet all replicas',
    needs: 'daemon', own: true, run: through('secure') },
  { name: 'grpc: deadlines reach the replica, a call that is given up ends there',
    needs: 'daemon', own: true, run: deadlines },
  { name: `grpc: affinity by header, ${users} users over h2c and TLS`,
    needs: 'daemon', own: true, run: affinity_by_header },
  { name: 'grpc: affinity by cookie', needs: 'daemon', own: true, run: affinity_by_cookie },
  { name: 'grpc: a replica whose health service says NOT_SERVING gets no calls',
    needs: 'daemon', own: true, run: health_probes },
  { name: 'grpc: replicas die: streams end with an error, calls are refused UNAVAILABLE at once',
    needs: 'daemon', own: true, run: dead_replicas },
];
