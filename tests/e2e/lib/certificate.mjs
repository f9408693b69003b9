// SPDX-License-Identifier: Apache-2.0
// A certificate for 127.0.0.1 and localhost that nobody else trusts, made by openssl.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { adopt } from './processes.mjs';
import { within } from './wait.mjs';

const make_ms = 60000;
let made;

async function make() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'limpet-e2e-tls-'));
  process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }));
  const [cert, key] = ['cert.pem', 'key.pem'].map((name) => path.join(folder, name));
  const words = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
    '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', key, '-out', cert];
  const child = adopt(spawn('openssl', words, { stdio: ['ignore', 'pipe', 'pipe'] }));
  const { code } = await within(make_ms, child.gone, 'openssl makes a certificate');
  if (code !== 0) throw new Error(`openssl ended with ${code}: ${child.printed}`);
  return { cert, key, pem: fs.readFileSync(cert) };
}

/** The paths of certificate and key, and the certificate's text; made once a run. */
export function certificate() {
  made ??= make();
  return made;
}
