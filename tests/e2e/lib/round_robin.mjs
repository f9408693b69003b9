// SPDX-License-Identifier: Apache-2.0
// The control: a balancer that knows nothing of sessions. Each request goes to the next replica.
import { listen, pass_on } from './pass_on.mjs';

/** Starts it over `ports`; answers { url, close }. */
export function start_round_robin(ports) {
  let turn = 0;
  return listen((request, response) => pass_on(ports[turn++ % ports.length], request, response));
}
