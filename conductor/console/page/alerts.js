/** What is wrong stays until it was seen; what holds on is told as long as it holds. */

import { at, el, keep } from "/dom.js";
import { show } from "/store.js";

const KEY = "alerts-seen";
const EVENTS = { fault: "Fault", alarm: "Alarm", silence: "Silence", restart: "Restarted", "off air": "Off air", "obs trouble": "OBS", failed: "Failed", setlist: "Setlist" };
let seen = JSON.parse(localStorage.getItem(KEY) || "{}");

function conditions(state, meters) {
  const found = [];
  for (const [name, worker] of Object.entries(state.workers)) if (!worker.up) found.push([`worker ${name}`, "Worker", `the ${name} is not there`]);
  for (const line of (state.setlist?.trouble || "").split("\n").filter(Boolean)) found.push([`setlist ${line}`, "Setlist", line]);
  if (meters.obs?.alert) found.push([`obs ${meters.obs.alert}`, "OBS", meters.obs.alert]);
  for (const to of meters.destinations || [])
    if (to.state === "refused" || to.state === "retrying") found.push([`to ${to.name} ${to.last_error}`, "Stream", `${to.name}: ${to.state}${to.last_error ? `, ${to.last_error}` : ""}`]);
  for (const [what, text] of Object.entries(state.alarms || {})) found.push([`alarm ${what}`, "Alarm", text]);
  if (meters.slate) found.push(["slate", "Sound", `the feed shows the slate: the player's sound does not come${meters.emergency ? "; the emergency bed is heard" : ""}`]);
  return found;
}

function events(state) {
  // What an earlier show left behind is not this one's.
  const lines = state.as_run.slice(state.as_run.findLastIndex(line => line.event === "end") + 1);
  return lines.filter(line => line.event in EVENTS)
    .map(line => [`${line.wall} ${line.event} ${line.detail}`, EVENTS[line.event],
      `${line.title ? `${line.title}: ` : ""}${line.detail || line.event}`, line.wall]);
}

export function draw(state, meters) {
  const now = conditions(state, meters), holds = new Set(now.map(([key]) => key));
  const fresh = [...now, ...events(state).filter(([, kind, text]) => kind !== "Setlist" || !now.some(([, , said]) => text.includes(said)))]
    .filter(([key]) => !seen[key]);
  // What has passed and comes again is news again.
  for (const key of Object.keys(seen)) if (!holds.has(key) && seen[key] === "holds") delete seen[key];
  keep("alert-list", fresh, () => [
    ...fresh.map(([key, kind, text, wall]) => el("li", {},
      el("strong", {}, kind), el("span", {}, text), wall ? el("time", "num", new Date(wall).toLocaleTimeString([], { hour12: false })) : null,
      el("button", { "aria-label": `Seen: ${text}`, onclick: () => see([key], holds) }, "Seen"))),
    ...(fresh.length > 1 ? [el("li", "all", el("button", { "data-key": "C", onclick: seeAll }, `Seen, all ${fresh.length}`))] : []),
  ]);
  at("alerts").hidden = !fresh.length;
}

function see(keys, holds) {
  for (const key of keys) seen[key] = holds.has(key) ? "holds" : Date.now();
  const kept = Object.entries(seen).slice(-200);
  seen = Object.fromEntries(kept);
  localStorage.setItem(KEY, JSON.stringify(seen));
  draw(show.state, show.meters);
}

export function seeAll() {
  if (!show.state) return;
  const now = conditions(show.state, show.meters).map(([key]) => key);
  see([...now, ...events(show.state).map(([key]) => key)], new Set(now));
}
