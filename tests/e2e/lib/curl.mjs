// SPDX-License-Identifier: Apache-2.0
// The real curl, as a browser stand-in: many requests in one process, each on a connection of its own.
import { spawn } from 'node:child_process';
import { adopt } from './processes.mjs';
import { within } from './wait.mjs';

const batch_ms = 120000;

/** True where curl can be run. */
export async function has_curl() {
  const child = adopt(spawn('curl', ['--version'], { stdio: 'ignore' }));
  return (await child.gone).code === 0;
}

/** Gets `url` `times` times; `jar` is a cookie file that is read and written, or undefined. */
export async function curl(url, times, jar) {
  const child = adopt(spawn('curl', ['--silent', '--show-error', '--config', '-'],
    { stdio: ['pipe', 'pipe', 'pipe'] }));
  let printed = '';
  child.stdout.on('data', (text) => { printed += text; });
  // "next" makes each request stand alone: the options are repeated for each of them.
  const one = [
    `url = "${url}"`,
    'header = "Connection: close"',
    'write-out = "%{http_code} %{num_connects}\\n"',
    'max-time = 15',
    ...(jar ? [`cookie = "${jar}"`, `cookie-jar = "${jar}"`] : []),
  ].join('\n');
  child.stdin.end(Array(times).fill(one).join('\nnext\n') + '\n');
  const { code } = await within(batch_ms, child.gone, `${times} requests of curl`);
  if (code !== 0) throw new Error(`curl ended with ${code}: ${child.printed.slice(-500)}`);
  return read(printed);
}

/** Each answer is one line of JSON, then the line of write-out. */
function read(printed) {
  const lines = printed.trim().split('\n');
  const answers = [];
  for (let at = 0; at + 1 < lines.length; at += 2) {
    const [status, connects] = lines[at + 1].split(' ').map(Number);
    answers.push({ status, connects, body: JSON.parse(lines[at]) });
  }
  return answers;
}
