// SPDX-License-Identifier: Apache-2.0
#include "daemon/control/page.h"

namespace limpet::control {

namespace {

constexpr const char* kStyle = R"css(
:root {
  color-scheme: light dark;
  --paper: #f6f7f5; --card: #ffffff; --ink: #1d2528; --soft: #66737a; --line: #dfe4e2;
  --good: #1f8a55; --warn: #b26a00; --bad: #c0332b; --calm: #3b6ea5;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #12171a; --card: #1a2125; --ink: #e4eaea; --soft: #93a1a6; --line: #2b353a;
    --good: #4cc38a; --warn: #e0a040; --bad: #f0736a; --calm: #7fb0e6;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.45 system-ui, sans-serif; }
main { max-width: 70rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: .4rem 1rem; }
h1 { font-size: 1.35rem; margin: 0; letter-spacing: -.01em; }
h2 { font-size: 1.05rem; margin: 0; }
.soft { color: var(--soft); }
.badge { font-size: .82rem; font-weight: 600; padding: .1rem .55rem; border-radius: 1rem;
  border: 1px solid currentColor; }
.good { color: var(--good); } .warn { color: var(--warn); }
.bad { color: var(--bad); } .calm { color: var(--calm); }
.facts { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1rem 0 1.5rem; }
.fact { background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
  padding: .6rem .9rem; min-width: 8rem; }
.fact b { display: block; font-size: 1.3rem; font-weight: 600; font-variant-numeric: tabular-nums; }
section { background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
  margin: 0 0 1rem; padding: .9rem 1rem; overflow-x: auto; }
section > div { display: flex; flex-wrap: wrap; align-items: baseline; gap: .3rem .9rem;
  margin-bottom: .5rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 500; color: var(--soft); font-size: .82rem; }
th, td { padding: .3rem .7rem .3rem 0; border-top: 1px solid var(--line); white-space: nowrap; }
tr:first-child th { border-top: 0; }
.n { text-align: right; }
.dot { display: inline-block; width: .6rem; height: .6rem; border-radius: 50%;
  background: currentColor; margin-right: .4rem; }
#fault { margin: 1rem 0; }
a { color: inherit; }
)css";

constexpr const char* kScript = R"js(
'use strict';
const at = (id) => document.getElementById(id);
function make(tag, text, kind) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (kind) node.className = kind;
  return node;
}
function span(seconds) {
  const d = Math.floor(seconds / 86400), h = Math.floor(seconds / 3600) % 24;
  const m = Math.floor(seconds / 60) % 60, s = Math.floor(seconds) % 60;
  return d ? `${d} d ${h} h` : h ? `${h} h ${m} min` : m ? `${m} min ${s} s` : `${s} s`;
}
const number = (n) => Number(n).toLocaleString('en');
function fact(name, value) {
  const node = make('div', undefined, 'fact');
  node.append(make('b', value), make('span', name, 'soft'));
  return node;
}
function color_of(replica) {
  if (replica.state === 'down' || replica.health === 'down') return 'bad';
  if (replica.health === 'ejected' || replica.health === 'unproven') return 'warn';
  return replica.state === 'drain' ? 'calm' : 'good';
}
function health_cell(replica) {
  const cell = make('td');
  cell.className = color_of(replica);
  const left = replica.ejected_seconds ? ` ${replica.ejected_seconds} s` : '';
  cell.append(make('span', undefined, 'dot'), replica.health + left);
  return cell;
}
const columns = ['replica', 'health', 'state', 'sessions', 'in flight', 'queued', 'latency',
  'connections', 'weight', 'revision', 'address'];
function row(replica) {
  const line = make('tr');
  const name = make('td', replica.id + (replica.backup ? ' (backup)' : ''));
  line.append(name, health_cell(replica), make('td', replica.state));
  for (const value of [number(replica.sessions), number(replica.in_flight), number(replica.queued),
    replica.latency_ms ? replica.latency_ms + ' ms' : '–', number(replica.connections),
    replica.weight]) line.append(make('td', value, 'n'));
  line.append(make('td', replica.revision || '–'), make('td', replica.address, 'soft'));
  return line;
}
function counts(all) {
  return Object.entries(all).map(([name, count]) => `${name} ${number(count)}`).join('  ·  ');
}
function pool_card(pool) {
  const card = make('section');
  const head = make('div');
  const whole = pool.replicas_up === pool.replicas_total;
  const kind = whole ? 'good' : pool.replicas_up ? 'warn' : 'bad';
  head.append(make('h2', pool.name),
    make('span', `${pool.replicas_up} of ${pool.replicas_total} up`, 'badge ' + kind),
    make('span', pool.affinity ? 'sticky' : 'no affinity', 'soft'),
    make('span', `${number(pool.requests)} requests`, 'soft'),
    make('span', `${number(pool.sessions)} sessions`, 'soft'),
    make('span', counts(pool.outcomes), 'soft'));
  const causes = counts(pool.causes);
  if (causes) head.append(make('span', 'causes: ' + causes, 'soft'));
  const table = make('table');
  const names = make('tr');
  columns.forEach((name, i) => names.append(make('th', name, i > 2 && i < 9 ? 'n' : '')));
  table.append(names, ...pool.replicas.map(row));
  card.append(head, table);
  return card;
}
let before;
function show(status) {
  const requests = status.pools.reduce((sum, pool) => sum + pool.requests, 0);
  const now = performance.now();
  const rate = before ? (requests - before.requests) / (now - before.now) * 1000 : 0;
  before = { requests, now };
  const busy = status.workers.map((worker) => worker.busy_percent);
  const ups = status.pools.reduce((sum, pool) => sum + pool.replicas_up, 0);
  const all = status.pools.reduce((sum, pool) => sum + pool.replicas_total, 0);
  at('stage').textContent = status.stage;
  at('stage').className = 'badge ' + (status.stage === 'ready' ? 'good' : 'warn');
  at('about').textContent = `version ${status.version}, up ${span(status.uptime_seconds)}, ` +
    `configuration ${status.revision} of ${status.config}`;
  at('reload').textContent = status.last_reload.good ? ''
    : 'The last reload was refused; the log says why.';
  at('facts').replaceChildren(
    fact('replicas up', `${ups} / ${all}`),
    fact('requests a second', rate.toFixed(rate < 10 ? 1 : 0)),
    fact('requests', number(requests)),
    fact('client connections', number(status.connections)),
    fact('busiest worker', Math.max(0, ...busy).toFixed(0) + ' %'),
    fact('workers', status.workers.length));
  at('pools').replaceChildren(...status.pools.map(pool_card));
}
async function refresh() {
  try {
    const answer = await fetch('/api/v1/status');
    if (!answer.ok) throw new Error(await answer.text());
    show(await answer.json());
    at('fault').textContent = '';
  } catch (error) {
    at('fault').textContent = 'limpet does not answer: ' + error.message;
  }
  setTimeout(refresh, 2000);
}
refresh();
)js";

}  // namespace

std::string status_page() {
  return std::string(
             "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
             "<title>limpet</title>\n<style>") +
         kStyle +
         "</style>\n</head>\n<body>\n<main>\n<header><h1>limpet</h1> "
         "<span id=\"stage\" class=\"badge\">…</span> <span id=\"about\" class=\"soft\"></span>"
         "</header>\n<p id=\"fault\" class=\"bad\" role=\"status\"></p>\n"
         "<p id=\"reload\" class=\"bad\"></p>\n<div id=\"facts\" class=\"facts\"></div>\n"
         "<div id=\"pools\"></div>\n<p class=\"soft\"><a href=\"/metrics\">metrics</a> · "
         "<a href=\"/api/v1/status\">status as JSON</a></p>\n</main>\n<script>" +
         kScript + "</script>\n</body>\n</html>\n";
}

}  // namespace limpet::control
