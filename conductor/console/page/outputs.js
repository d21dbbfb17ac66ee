/** Who works for the show and where it goes: a lamp each, with its word. */

import { el, keep } from "/dom.js";
import { roughly } from "/words.js";

const NAMES = { midi_out: "MIDI" };

/** [name, "up" | "down" | "busy" | "idle", text] of each. */
function lines(state, meters) {
  const found = Object.entries(state.workers).map(([name, worker]) => {
    const times = worker.restarts ? `, restarted ${worker.restarts}×` : "";
    const news = name === "midi_out" ? state.as_run.findLast(line => line.event === "midi")?.detail : "";
    return [NAMES[name] || name, worker.up ? "up" : "down", (worker.up ? news || "up" : "down") + times];
  });
  const obs = meters.obs;
  if (obs) {
    const doing = [obs.scene && `scene ${obs.scene}`, obs.streaming && "streaming", obs.reconnecting && "reconnecting", obs.recording && "recording",
      obs.skipped_frames && `${obs.skipped_frames} pictures skipped`].filter(Boolean).join(", ");
    found.push(["OBS", obs.alert ? "busy" : obs.available ? "up" : "idle", obs.alert || (obs.available ? doing || "connected" : obs.reason)]);
  }
  for (const to of meters.destinations || []) {
    const text = [to.state, to.place, `for ${roughly(to.for_s)}`, to.dropped && `${to.dropped} packets left out`, to.reconnects && `${to.reconnects} reconnects`, to.last_error];
    found.push([to.name, { live: "up", refused: "down" }[to.state] || "busy", text.filter(Boolean).join(", ")]);
  }
  if (state.recording || meters.recording) found.push(["record", meters.recording ? "rec" : "busy", meters.recording || state.recording]);
  return found;
}

export function draw(state, meters) {
  const all = lines(state, meters);
  keep("lamps", all.map(([name, kind]) => [name, kind]), () => all.map(([name, kind]) =>
    el("li", { "data-kind": kind, title: name }, el("span", "sign", ""), name, el("span", "unseen", ` ${{ up: "up", down: "down", busy: "in trouble", idle: "not there", rec: "recording" }[kind]}`))));
  const audience = [`${meters.viewers || 0} watching as here`, meters.readers ? "OBS reads the feed" : "nobody reads the feed",
    `${meters.dropped || 0} pictures dropped`, meters.slate ? "the slate is shown" : ""].filter(Boolean).join(", ");
  keep("outputs", [all, audience], () => [...all, ["audience", meters.slate ? "busy" : "up", audience]].flatMap(([name, kind, text]) =>
    [el("dt", { "data-kind": kind }, el("span", "sign", ""), name), el("dd", {}, text)]));
}
