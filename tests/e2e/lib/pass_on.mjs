// SPDX-License-Identifier: Apache-2.0
// Hands a request on to a server on loopback and its response back, without reading either.
import http from 'node:http';

/** A listening server of `on_request`: { url, close }. */
export async function listen(on_request) {
  const server = http.createServer(on_request);
  await new Promise((resolve) => server.listen({ host: '127.0.0.1', port: 0 }, resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Hands one request on to `port`; `on_answer` sees the head of the response. */
export function pass_on(port, request, response, on_answer = () => {}) {
  const { method, url: path, headers } = request;
  const onward = http.request({ host: '127.0.0.1', port, method, path, headers }, (answer) => {
    on_answer(answer);
    response.writeHead(answer.statusCode, answer.rawHeaders);
    response.flushHeaders();
    answer.pipe(response);
    answer.once('error', () => response.destroy());
  });
  onward.once('error', () => response.destroy());
  response.once('close', () => onward.destroy());
  request.pipe(onward);
}
