/** The notes of pieces, fetched once each. */

import { ask } from "/orders.js";

const MOST = 40;
const known = new Map();

/**
 * Notes of a piece: { duration_s, instruments: [name], notes: [[onset_s, duration_s, pitch, velocity, instrument]] };
 * null where it cannot be had. `version` tells one state of its music from another.
 */
export function notes(piece, version = "") {
  const key = `${piece} ${version}`;
  if (!known.has(key)) {
    known.set(key, fetchNotes(piece).then(found => { if (!found) known.delete(key); return found; }));
    if (known.size > MOST) known.delete(known.keys().next().value);
  }
  return known.get(key);
}

async function fetchNotes(piece) {
  const [status, answer] = await ask("GET", `/api/pieces/${piece}/notes`);
  return status === 200 ? answer : null;
}
