/** What is on air: its time left in colour and text, its change, and how loud it is. */

import { at, keep, put, set } from "/dom.js";
import { act } from "/orders.js";
import { left, live, show, standby } from "/store.js";
import { about, clock, starts, waits } from "/words.js";

const SOON_S = 30, LAST_S = 10;

export function draw(state) {
  const cue = live(), next = standby();
  document.title = `${cue ? `● ${cue.name}` : "Conductor"} – ${state.title}`;
  put("title", state.title);
  const word = cue ? (cue.fading ? "Fading" : "On air") : state.panicked ? "Panic: the bed" : "The bed";
  put("lamp-text", word);
  set(at("lamp"), "data-on", cue ? "yes" : state.panicked ? "panic" : "no");
  put("air-head", cue ? (cue.fading ? "On air, fading" : "On air") : "Between pieces");
  at("air").classList.toggle("on", !!cue);
  put("air-name", cue ? cue.name : state.over ? "The setlist is over" : "The bed plays");
  put("air-about", cue ? about(cue) + (cue.reason && !cue.fading ? ` · ${cue.reason}` : "") : between(state, next));
  at("change").classList.toggle("idle", !cue);
  at("change-do").disabled = !cue;
  put("change-state", cue?.changing ? underWay(cue) : "");
  keep("styles", state.vocabulary?.styles, () => (state.vocabulary?.styles || []).map(name => new Option(name, name)));
  keep("instruments", state.vocabulary?.instruments, () => (state.vocabulary?.instruments || []).map(name => new Option(name, name)));
  put("target", state.loudness ? `target ${state.loudness.lufs} LUFS` : "");
}

function between(state, next) {
  if (state.held) return "on hold: nothing starts by itself";
  if (!next) return state.over ? "the bed plays on" : "";
  if (next.phase !== "armed") return `until ${next.name} is composed (${waits[next.phase] || next.phase})`;
  return next.starts === "hold" ? `until ${next.name} gets its GO` : `${next.name} begins ${starts(next)}`;
}

function underWay(cue) {
  const { at_s, until_s, text } = cue.changing;
  return `${text} (${clock(at_s)})${until_s ? `, composed up to ${clock(until_s)}` : ", being composed"}`;
}

export function tick(state, meters) {
  const cue = live(), node = at("air-left");
  if (cue) {
    const rest = left();
    node.className = `left num${rest < LAST_S ? " last" : rest < SOON_S ? " soon" : ""}`;
    // Neither the colour alone nor the sign alone tells it.
    put("air-word", rest < LAST_S ? "ends" : rest < SOON_S ? "ends soon" : "left");
    put("air-rest", `−${clock(rest)}`);
    node.title = `${clock(meters.position_s || 0)} of ${clock(cue.duration_s)}`;
    at("air-bar").style.width = `${Math.min(100, (100 * (meters.position_s || 0)) / cue.duration_s)}%`;
  } else {
    node.className = "left num";
    put("air-word", "");
    put("air-rest", "");
    at("air-bar").style.width = "0";
  }
  levels(state, meters);
}

const place = db => Math.min(100, Math.max(0, (db + 60) / 0.6));
const fill = db => `inset(0 ${db == null ? 100 : 100 - place(db)}% 0 0)`;

function levels(state, m) {
  const wanted = state.loudness || { lufs: -14, dbtp: -1 }, off = m.integrated_lufs == null ? null : m.integrated_lufs - wanted.lufs;
  put("lufs", m.momentary_lufs == null ? "–" : `${m.momentary_lufs.toFixed(1)} LUFS`);
  put("peak", m.peak_dbtp == null ? "–" : `${m.peak_dbtp.toFixed(1)} dBTP${m.peak_dbtp > wanted.dbtp ? " over" : ""}`);
  put("integrated", off === null || m.integrated_lufs < -69 ? "–" : `${m.integrated_lufs.toFixed(1)} LUFS (${off > 0 ? "+" : "−"}${Math.abs(off).toFixed(1)})`);
  at("lufs-meter").firstElementChild.style.clipPath = fill(m.momentary_lufs);
  at("peak-meter").firstElementChild.style.clipPath = fill(m.peak_dbtp);
  at("lufs-mark").style.left = `${place(wanted.lufs)}%`;
  at("peak-mark").style.left = `${place(wanted.dbtp)}%`;
  set(at("peak-meter"), "data-over", m.peak_dbtp > wanted.dbtp ? "yes" : null);
}

/** Say what is to be different of what plays, in the words of a setlist. */
export function wire() {
  // Where there is room it is open; on a phone GO and the cues come first.
  at("change-box").open = matchMedia("(min-width: 761px)").matches;
  at("change").addEventListener("submit", async event => {
    event.preventDefault();
    const value = name => at(`change-${name}`).value.trim();
    const wish = { style: value("style"), energy: value("energy"), density: value("density"),
      instruments: value("with").split(/[\s,]+/).filter(Boolean) };
    const said = Object.fromEntries(Object.entries(wish).filter(([, value]) => value.length));
    if (await act("change", said)) at("change").reset();
  });
}

export const held = () => !!show.state?.held;
