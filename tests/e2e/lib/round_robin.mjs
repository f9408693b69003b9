// SPDX-License-Identifier: Apache-2.0
// The control: a balancer that knows nothing of sessions. Each request goes to the next replica.
import http from 'node:http';

/** Starts it over `ports`; answers { url, close }. */
export async function start_round_robin(ports) {
  let turn = 0;
  const server = http.createServer((request, response) => {
    const port = ports[turn++ % ports.length];
    const { method, url: path, headers } = request;
    const onward = http.request({ host: '127.0.0.1', port, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.rawHeaders);
      response.flushHeaders();
      answer.pipe(response);
      answer.once('error', () => response.destroy());
    });
    onward.once('error', () => response.destroy());
    response.once('close', () => onward.destroy());
    request.pipe(onward);
  });
  await new Promise((resolve) => server.listen({ host: '127.0.0.1', port: 0 }, resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
