/** What was on air, and what operators did; with the files of the pieces. */

import { at, el, keep } from "/dom.js";
import { ask, say } from "/orders.js";
import { changed } from "/store.js";

const HIDDEN = new Set(["planned", "composing", "recalling", "checked", "ready", "armed", "bed"]);
const WORDS = { live: "on air", restart: "restarted" };

// A server that plays no pieces into files has no button for it.
let sounds = false;

/** Ask the server's own description once whether it gives sound files. */
export async function learn() {
  const [status, api] = await ask("GET", "/api/openapi.json");
  sounds = status === 200 && Object.keys(api.paths || {}).some(path => path.endsWith(".wav"));
  changed();
}

export function draw(state) {
  const lines = state.as_run.filter(line => !HIDDEN.has(line.event)).reverse();
  at("run-empty").hidden = lines.length > 0;
  keep("run", [sounds, lines], () => lines.map(row));
}

function row(line) {
  const files = el("td", "files");
  if (line.piece_id && /^(live|changed)$/.test(line.event)) {
    const path = `/api/pieces/${line.piece_id}`;
    files.append(el("a", { href: `${path}.mid`, download: true, "aria-label": `MIDI file of ${line.title}` }, "MIDI"));
    if (sounds) files.append(" ", el("button", { class: "link", "aria-label": `Sound file of ${line.title}`, onclick: event => wav(event.target, path, line.title) }, "WAV"));
  }
  return el("tr", { "data-event": line.event }, el("td", "num", new Date(line.wall).toLocaleTimeString([], { hour12: false })),
    el("td", {}, ...said(line)), files);
}

// What an operator said: the verb, with what, and who said it how.
const ORDER = /^(.*? via \S+): (\S+) ?(.*)$/;

// {"cue": "waltz", "changes": {"energy": "high"}} is said as people say it: waltz, energy high.
function plainly(text) {
  try {
    const told = (value, name) => Array.isArray(value) ? `${name} ${value.join(" ")}`
      : value && typeof value === "object" ? Object.entries(value).map(([key, inner]) => told(inner, key)).join(", ")
      : name === "cue" ? String(value) : name === "on" ? (value ? "on" : "off") : name === "seconds" ? `${value} s` : `${name} ${value}`;
    return Object.entries(JSON.parse(text)).map(([name, value]) => told(value, name)).join(", ");
  } catch {
    // A long one was cut short.
    return text;
  }
}

function said(line) {
  const order = ORDER.exec(line.detail);
  if (order && !line.title) return [el("strong", {}, order[2]), order[3] && ` ${plainly(order[3])}`, el("span", "detail", ` ${order[1]}`)].filter(Boolean);
  return [line.title ? el("strong", {}, line.title, " ") : "", el("span", "event", WORDS[line.event] || line.event),
      line.detail ? el("span", "detail", ` ${line.detail}`) : ""].filter(Boolean);
}

/** Fetch a sound file; the server may have to play it first. */
async function wav(button, path, title) {
  if (button.disabled) return;
  button.disabled = true;
  try {
    for (;;) {
      const answer = await fetch(`${path}.wav`, { headers: { "X-Conductor": "console" } });
      if (answer.status === 202) {
        const { fraction = 0 } = await answer.json();
        button.textContent = `${Math.round(fraction * 100)} %`;
        await new Promise(done => setTimeout(done, 1000 * (Number(answer.headers.get("Retry-After")) || 1)));
        continue;
      }
      if (!answer.ok) {
        const { reason = `${answer.status}` } = await answer.json().catch(() => ({}));
        say(`WAV of ${title}: ${reason}`);
        return;
      }
      const href = URL.createObjectURL(await answer.blob());
      el("a", { href, download: `${title}.wav` }).click();
      setTimeout(() => URL.revokeObjectURL(href), 10_000);
      return;
    }
  } catch {
    say(`WAV of ${title}: the conductor cannot be reached`);
  } finally {
    button.disabled = false;
    button.textContent = "WAV";
  }
}
