// SPDX-License-Identifier: Apache-2.0
#include "daemon/demo/page.h"

namespace limpet::demo {

const std::string_view kPage = R"html(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>limpet demo</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 2rem auto; padding: 0 1rem; }
  button { font: inherit; padding: .3rem .8rem; }
  output { display: inline-block; min-width: 12rem; font-family: ui-monospace, monospace; }
  #who { font-size: 2.5rem; font-weight: 700; }
  pre { background: #f3f3f3; color: #222; padding: .6rem; height: 9rem; overflow: auto; }
</style>
<h1>Replica <span id="who">…</span> answers you</h1>
<p>Three replicas stand behind this address. Each keeps its sessions in its own memory; limpet brings
you back to yours. Reload as often as you like. A private window is somebody else.</p>
<p><button id="count">Count</button> <output id="counted"></output></p>
<p><button id="clock">Clock</button> <output id="time"></output></p>
<p><button id="echo">Echo</button> <output id="said"></output></p>
<pre id="log" aria-live="polite"></pre>
<script>
  const at = id => document.getElementById(id);
  const log = text => { at('log').prepend(new Date().toLocaleTimeString() + '  ' + text + '\n'); };
  let last = '';
  const met = replica => {
    if (last && last !== replica) log('moved from ' + last + ' to ' + replica + ': what ' + last + ' knew is lost');
    last = replica;
    at('who').textContent = replica;
  };
  const ask = async path => {
    const response = await fetch(path);
    if (!response.ok) throw new Error(path + ' answered ' + response.status);
    return response.json();
  };
  const fail = error => log(String(error));
  ask('whoami').then(answer => met(answer.replica)).catch(fail);
  at('count').onclick = () => ask('counter').then(answer => {
    met(answer.replica);
    at('counted').textContent = answer.count + ' on ' + answer.replica;
  }).catch(fail);
  let events = null;
  at('clock').onclick = () => {
    if (events) { events.close(); events = null; at('time').textContent = ''; return; }
    events = new EventSource('clock');
    events.onmessage = event => {
      const tick = JSON.parse(event.data);
      at('time').textContent = tick.time + ' from ' + tick.replica;
    };
    events.onerror = () => log('the clock stopped; the browser asks again');
  };
  at('echo').onclick = () => {
    const url = new URL('echo', location.href);
    url.protocol = url.protocol.replace('http', 'ws');
    const socket = new WebSocket(url);
    socket.onopen = () => socket.send('hello');
    socket.onmessage = message => { at('said').textContent = message.data; socket.close(); };
    socket.onerror = () => log('the echo could not be reached');
  };
</script>
</html>
)html";

}  // namespace limpet::demo
