/** What is known of the show: one state and the latest meters, as the server tells them. */

export const show = { state: null, meters: {}, me: { who: "", role: "edit", login: false }, there: false };

const drawings = [], ticks = [];
export const onState = draw => drawings.push(draw);
export const onMeters = draw => ticks.push(draw);

let waiting = false;
export function changed() {
  // Several deltas in a moment are one drawing.
  if (waiting) return;
  waiting = true;
  queueMicrotask(() => {
    waiting = false;
    if (show.state) for (const draw of [...drawings, ...ticks]) draw(show.state, show.meters);
  });
}
export function metered() {
  if (show.state) for (const draw of ticks) draw(show.state, show.meters);
}

export const find = id => show.state?.cues.find(cue => cue.id === id);
export const live = () => find(show.state?.live);
export const standby = () => find(show.state?.standby);
/** Seconds left of what is on air. */
export const left = () => (live() ? Math.max(0, live().duration_s - (show.meters.position_s || 0)) : 0);
