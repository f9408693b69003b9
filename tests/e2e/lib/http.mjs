// SPDX-License-Identifier: Apache-2.0
// Plain HTTP requests, each over a connection of its own unless an agent is given.
import http from 'node:http';

const answer_ms = 30000;

/** Sends a request and returns status, header fields and text. */
export function send(method, url, { headers = {}, agent = false, body } = {}) {
  return new Promise((resolve, reject) => {
    const fail = (error) => reject(new Error(`${method} ${url}: ${error.message}`));
    const signal = AbortSignal.timeout(answer_ms);
    const request = http.request(url, { method, headers, agent, signal });
    request.once('error', fail);
    request.once('response', async (response) => {
      try {
        let text = '';
        for await (const part of response.setEncoding('utf8')) text += part;
        resolve({ status: response.statusCode, headers: response.headers, text });
      } catch (error) {
        fail(error);
      }
    });
    request.end(body);
  });
}

/** Sends a GET. */
export function get(url, options) {
  return send('GET', url, options);
}

/** The cookies that a response sets: name to { value, attributes } (attribute names in lower case). */
export function cookies_of(response) {
  const cookies = new Map();
  for (const line of response.headers['set-cookie'] ?? []) {
    const [pair, ...rest] = line.split(/;\s*/);
    const at = pair.indexOf('=');
    const attributes = new Map(rest.map((text) => {
      const [name, value = ''] = text.split('=');
      return [name.toLowerCase(), value];
    }));
    cookies.set(pair.slice(0, at), { value: pair.slice(at + 1), attributes });
  }
  return cookies;
}

/** The Cookie field that a browser would send back after this response. */
export function cookie_field(response) {
  return [...cookies_of(response)].map(([name, { value }]) => `${name}=${value}`).join('; ');
}
