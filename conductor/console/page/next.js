/** The standby cue: what it is, its notes, its candidates, and whether GO is safe. */

import { at, el, keep, put, set } from "/dom.js";
import { act } from "/orders.js";
import { notes } from "/pieces.js";
import * as roll from "/roll.js";
import { composing, safety } from "/safety.js";
import { left, show, standby } from "/store.js";
import * as synth from "/synth.js";
import { PLAYABLE, about, clock, roughly, starts, waits } from "/words.js";

// The piece that the roll shows: of the standby cue, or the candidate that is listened to.
let shown = null, wanted = "", listening = null, at_s = null;

function describe(cue, state) {
  if (!cue) return state.over ? "The setlist is over; insert a cue or switch endless on." : "Nothing is to come.";
  if (cue.phase === "composing") {
    const need = composing(state, cue), attempt = cue.attempt ? ` (try ${cue.attempt + 1})` : "";
    return `${about(cue)} · is being composed: ${Math.round(cue.fraction * 100)} %${attempt}${need === null ? "" : `, about ${roughly(need)} more`}`;
  }
  const how = PLAYABLE.has(cue.phase) ? `begins ${starts(cue)}` : waits[cue.phase] || cue.phase;
  return `${about(cue)} · ${how}${cue.reason ? ` · ${cue.reason}` : ""}`;
}

export function draw(state) {
  const cue = standby();
  put("next-name", cue ? `${cue.number}  ${cue.name}` : "Nothing to come");
  put("next-about", describe(cue, state));
  put("next-notes", cue?.notes || "");
  at("next-notes").hidden = !cue?.notes;
  const busy = cue?.phase === "composing", percent = Math.round((cue?.fraction || 0) * 100);
  at("next-line").classList.toggle("idle", !busy);
  at("next-bar").style.width = `${busy ? percent : 0}%`;
  set(at("next-line"), "aria-valuenow", busy ? percent : 0);
  const player = state.workers.player?.up, can = cue && player && PLAYABLE.has(cue.phase);
  at("go").classList.toggle("wait", !can);
  put("go-why", can ? `start ${cue.name}` : !cue ? "nothing to start" : player ? `${cue.name} ${waits[cue.phase] || cue.phase}` : "the player is not there");
  drawTakes(cue);
  if (listening && !cue?.takes.some(take => take.piece === listening.piece) && cue?.piece !== listening.piece) synth.stop();
  if (!listening) follow(cue);
}

async function follow(cue) {
  const key = cue?.piece ? `${cue.piece} ${cue.duration_s}` : `none ${cue?.id}`;
  if (key === wanted) return;
  wanted = key;
  const piece = cue?.piece ? await notes(cue.piece, cue.duration_s) : null;
  if (wanted === key) present(piece, cue ? cue.name : "nothing");
}

function present(piece, name) {
  shown = piece;
  const text = roll.told(piece, name);
  set(at("roll"), "aria-label", text);
  put("roll-text", piece ? "" : "The notes are drawn here as soon as they are composed.");
  roll.draw(at("roll"), shown, at_s);
}

export const redraw = () => roll.draw(at("roll"), shown, at_s);

/* --- candidates --- */

function drawTakes(cue) {
  const takes = cue?.takes?.length ? cue.takes : cue?.piece && cue.phase !== "live" ? [{ piece: cue.piece, score: null, refused: "" }] : [];
  at("takes-hint").hidden = !takes.length;
  put("takes-hint", cue?.starts === "morph" && takes.length === 1 && !cue.takes.length
    ? "A morph grows out of the piece before: there is this one music, and no other to choose."
    : "Listen is a sketch by this browser, not the orchestra.");
  keep("takes", [cue?.id, cue?.piece, takes, listening?.piece], () => takes.map((take, n) => {
    const chosen = take.piece === cue.piece, here = listening?.piece === take.piece;
    const score = take.score === null ? "" : `score ${take.score.toFixed(2)}`;
    return el("li", chosen ? "chosen" : "",
      el("span", "no num", String(n + 1)),
      el("span", "what", [score, chosen ? "chosen" : "", take.refused].filter(Boolean).join(" · ")),
      el("button", { "aria-pressed": String(here), "data-key": n < 9 ? String(n + 1) : null, title: "A sketch of its sound, in this browser alone",
        "aria-label": `Listen to candidate ${n + 1}`, onclick: () => audition(n) }, here ? "Stop" : "Listen"),
      takes.length > 1 ? el("button", { disabled: chosen || !!take.refused, "aria-label": `Take candidate ${n + 1}`,
        onclick: () => act("take", { cue: cue.id, take: n + 1 }) }, chosen ? "Taken" : "Take") : null);
  }));
}

/** Listen to a candidate of the standby cue, or stop. */
export async function audition(n) {
  const cue = standby(), piece = cue?.takes?.[n]?.piece ?? (n === 0 ? cue?.piece : null);
  const again = listening?.piece === piece;
  synth.stop();
  if (!piece || again) return;
  const found = await notes(piece, piece === cue.piece ? cue.duration_s : "");
  if (!found) return;
  listening = { piece, take: n };
  wanted = "";
  document.dispatchEvent(new CustomEvent("audition", { detail: true }));
  await synth.play(found, second => {
    at_s = second;
    if (second === null) {
      listening = null;
      document.dispatchEvent(new CustomEvent("audition", { detail: false }));
      if (show.state) draw(show.state);
    }
    redraw();
  });
  present(found, `candidate ${n + 1} of ${cue.name}`);
  if (show.state) draw(show.state);
}

/** Take the candidate that is listened to. */
export function takeListened() {
  const cue = standby();
  if (cue && listening && cue.takes.length > 1) act("take", { cue: cue.id, take: listening.take + 1 });
}

/* --- GO safe --- */

export function drawSafety(state) {
  const found = safety(state, left());
  set(at("safety"), "data-kind", found.kind);
  put("safe-word", found.word);
  put("safe-text", found.text ? `– ${found.text}` : "");
  const scale = Math.max(60, found.buffer_s, found.need_s || 0) * 1.1;
  at("buffer-bar").style.width = `${(100 * found.buffer_s) / scale}%`;
  at("need-mark").style.left = `${(100 * (found.need_s || 0)) / scale}%`;
  at("need-mark").hidden = !found.need_s;
  const pieces = `${found.ready} ${found.ready === 1 ? "piece" : "pieces"} ready`;
  const need = found.missing ? `${found.missing.name} needs ${found.need_s === null ? "a time not known yet" : `about ${roughly(found.need_s)}`}` : "nothing is left to compose";
  put("buffer", `${clock(found.buffer_s)} of music ahead, ${pieces} · ${need}`);
}
