/** How times, cues and states are said. */

export function clock(seconds) {
  const s = Math.max(0, Math.round(seconds)), two = n => String(n).padStart(2, "0");
  const m = Math.floor(s / 60);
  return m >= 60 ? `${Math.floor(m / 60)}:${two(m % 60)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}

/** Minutes, for what need not be exact. */
export function roughly(seconds) {
  return seconds < 90 ? `${Math.max(1, Math.round(seconds))} s` : `${(seconds / 60).toFixed(seconds < 600 ? 1 : 0)} min`;
}

export const about = cue => [cue.style, cue.instruments.join(", "), clock(cue.duration_s)].filter(Boolean).join(" · ");

export const OVER = new Set(["aired", "failed", "skipped"]);
export const PLAYABLE = new Set(["ready", "armed"]);
export const coming = cue => !OVER.has(cue.phase) && cue.phase !== "live";

/** Sign and word of a state: neither needs colour. */
export function badge(cue, standby) {
  if (cue.phase === "live") return ["●", cue.fading ? "fading" : "on air"];
  if (cue.phase === "composing") return ["◔", `${Math.round(cue.fraction * 100)} %`];
  if (PLAYABLE.has(cue.phase)) return standby ? ["▶", "standby"] : ["✓", "ready"];
  return {
    planned: ["○", "planned"], recalling: ["◔", "fetched"], checked: ["◔", "loaded"],
    aired: ["–", "aired"], failed: ["✕", "failed"], skipped: ["⤼", "left out"],
  }[cue.phase] || ["", cue.phase];
}

export function starts(cue) {
  return { hold: "at GO", auto: "by itself", hang: `${cue.hang_s} s early`, morph: `morph of ${cue.morph_s} s` }[cue.starts] || cue.starts;
}

export const waits = {
  planned: "waits to be composed", composing: "is being composed", recalling: "is being fetched",
  checked: "is being loaded", ready: "is ready", armed: "is ready",
};
