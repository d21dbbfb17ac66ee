/** A piano roll on a canvas. */

import { clock } from "/words.js";

const PAD = 6, RULER = 14;

/** What a screen reader is told in place of the picture. */
export function told(piece, name) {
  if (!piece) return `No notes of ${name} yet`;
  const parts = piece.instruments.join(", ");
  return `${name}: ${piece.notes.length} notes for ${parts || "no instrument"}, ${clock(piece.duration_s)}`;
}

/**
 * Draw a piece.
 * Args: canvas; piece: as of pieces.notes, or null; at_s: where a playhead stands, or null.
 */
export function draw(canvas, piece, at_s = null) {
  const ratio = devicePixelRatio || 1, box = canvas.getBoundingClientRect();
  const width = Math.max(1, Math.round(box.width)), height = Math.max(1, Math.round(box.height));
  if (canvas.width !== width * ratio || canvas.height !== height * ratio) Object.assign(canvas, { width: width * ratio, height: height * ratio });
  const pen = canvas.getContext("2d"), style = getComputedStyle(canvas);
  const colour = name => style.getPropertyValue(name).trim();
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  if (!piece || !piece.notes.length) return;
  const span = Math.max(1, piece.duration_s), foot = height - RULER;
  let low = 127, high = 0;
  for (const note of piece.notes) { low = Math.min(low, note[2]); high = Math.max(high, note[2]); }
  low -= 2; high += 2;
  const x = s => PAD + (s / span) * (width - 2 * PAD), y = pitch => PAD + ((high - pitch) / (high - low)) * (foot - 2 * PAD);
  const tall = Math.max(2, Math.min(7, (foot - 2 * PAD) / (high - low) - 0.5));
  ruler(pen, span, x, foot, height, colour);
  for (let pitch = Math.ceil(low / 12) * 12; pitch <= high; pitch += 12) {
    pen.fillStyle = colour("--line");
    pen.fillRect(PAD, y(pitch) + tall, width - 2 * PAD, 1);
  }
  for (const [onset, duration, pitch, velocity, instrument] of piece.notes) {
    pen.globalAlpha = 0.4 + 0.6 * Math.min(1, velocity / 110);
    pen.fillStyle = colour(`--part-${(instrument % 8) + 1}`);
    pen.fillRect(x(onset), y(pitch), Math.max(1.5, x(onset + duration) - x(onset) - 0.5), tall);
  }
  pen.globalAlpha = 1;
  if (at_s !== null) {
    pen.fillStyle = colour("--text");
    pen.fillRect(x(Math.min(at_s, span)) - 0.5, 0, 1.5, foot);
  }
}

function ruler(pen, span, x, foot, height, colour) {
  const step = [5, 10, 15, 30, 60, 120, 300, 600].find(s => span / s <= 9) || 900;
  pen.font = "10px system-ui, sans-serif";
  pen.textBaseline = "bottom";
  for (let s = 0; s <= span; s += step) {
    pen.fillStyle = colour("--line");
    pen.fillRect(x(s), 0, 1, foot);
    pen.fillStyle = colour("--soft");
    if (x(s) < x(span) - 24) pen.fillText(clock(s), x(s) + 2, height - 1);
  }
}
