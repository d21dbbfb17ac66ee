/** Whether GO is safe: the music that is ready, against the time that composing more takes. */

import { OVER, PLAYABLE, coming, roughly, waits } from "/words.js";

// Seconds of composing for a second of music, as it went so far.
const rates = new Map();

function rate(state) {
  for (const cue of state.cues)
    if (cue.composing_s > 0 && cue.duration_s > 0) rates.set(cue.piece ?? cue.id, cue.composing_s / cue.duration_s);
  const sorted = [...rates.values()].sort((a, b) => a - b);
  return sorted.length ? sorted[Math.floor(sorted.length / 2)] : null;
}

/** How long the rest of a cue takes to compose; null where nothing was composed yet. */
export function composing(state, cue) {
  const known = state.pace;
  if (known && known.id === cue.id && known.needs_s !== null) return known.needs_s * (1 - cue.fraction);
  const per = rate(state);
  return per === null ? null : per * cue.duration_s * (1 - cue.fraction);
}

/**
 * What comes of a GO now.
 * Returns { kind: "safe" | "risk" | "no" | "unknown", word, text, buffer_s, need_s, reach }.
 */
export function safety(state, left_s) {
  const next = state.cues.find(cue => cue.id === state.standby);
  const ahead = state.cues.filter(cue => coming(cue));
  const ready = [];
  for (const cue of ahead) {
    if (!PLAYABLE.has(cue.phase)) break;
    ready.push(cue);
  }
  const missing = ahead[ready.length];
  const after_s = ready.reduce((sum, cue) => sum + cue.duration_s, 0);
  const buffer_s = left_s + after_s;
  const need_s = missing ? composing(state, missing) : 0;
  const about = { buffer_s, need_s, ready: ready.length, missing };
  if (!next) return { ...about, kind: "no", word: "Nothing to GO to", text: state.over ? "the setlist is over" : "" };
  if (!PLAYABLE.has(next.phase)) {
    const more = next.phase === "composing" && need_s !== null ? `, about ${roughly(need_s)} more` : "";
    const done = next.phase === "composing" ? ` (${Math.round(next.fraction * 100)} %${more})` : "";
    return { ...about, kind: "no", word: "No GO yet", text: `${next.name} ${waits[next.phase] || next.phase}${done}` };
  }
  if (!state.workers.player?.up) return { ...about, kind: "no", word: "No GO yet", text: "the player is not there" };
  if (!missing) return { ...about, kind: "safe", word: "GO safe", text: "all that is to come is ready" };
  if (need_s === null)
    return { ...about, kind: "unknown", word: "GO possible", text: `how long ${missing.name} takes to compose is not known yet` };
  if (need_s < after_s)
    return { ...about, kind: "safe", word: "GO safe", text: `${missing.name} needs about ${roughly(need_s)}, and ${roughly(after_s)} are ready` };
  return {
    ...about, kind: "risk", word: "GO leads to the bed",
    text: `after ${roughly(after_s)} it plays for about ${roughly(need_s - after_s)}, until ${missing.name} is composed`,
  };
}

export const over = cue => OVER.has(cue.phase);
