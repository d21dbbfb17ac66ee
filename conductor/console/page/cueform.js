/** A cue put in, changed, or repeated with changes: only what was touched is said. */

import { at, put } from "/dom.js";
import { order, say } from "/orders.js";
import { selection } from "/cues.js";

const TITLES = { insert: "Insert a cue", edit: "Edit", again: "Again, with changes" };
let verb = "insert", cue = null, before = {};

const form = () => at("cue-form");
const values = () => Object.fromEntries(new FormData(form()));

export function open(which) {
  verb = which;
  cue = which === "insert" ? null : selection();
  if (which !== "insert" && !cue) return say(`${which}: select a cue first`);
  form().reset();
  put("cue-head", cue ? `${TITLES[which]}: ${cue.name}` : TITLES[which]);
  put("cue-error", "");
  if (cue) {
    const known = { name: cue.name, style: cue.style, instruments: cue.instruments.join(", "), duration: minutes(cue.duration_s), notes: cue.notes };
    for (const [name, value] of Object.entries(known)) form().elements[name].value = value;
  }
  before = values();
  at("cue-place").hidden = which !== "insert";
  put("cue-save", which === "insert" ? "Insert" : which === "again" ? "Put it next" : "Save");
  at("cue-sheet").showModal();
  form().elements.name.focus();
}

const minutes = seconds => (seconds % 60 ? `${Math.round(seconds)}s` : `${seconds / 60}m`);

function said() {
  const now = values(), found = {};
  for (const [name, value] of Object.entries(now)) {
    const text = value.trim();
    if (name === "at" || text === before[name].trim()) continue;
    if (name === "instruments") found[name] = text.split(/[\s,]+/).filter(Boolean);
    else if (name === "seed") found[name] = /^\d+$/.test(text) ? Number(text) : text;
    else if ((name === "energy" || name === "density") && /^\d+$/.test(text)) found[name] = Number(text);
    else if (name === "follow" && text.includes(":")) found[name] = Object.fromEntries([text.split(":")]);
    else found[name] = text;
  }
  return found;
}

async function save(event) {
  event.preventDefault();
  const fields = said(), place = values().at.trim();
  const args = verb === "insert" ? { cue: fields, ...(place ? { at: /^\d+$/.test(place) ? Number(place) : place } : {}) } : { cue: cue.id, ...(verb === "edit" || Object.keys(fields).length ? { changes: fields } : {}) };
  const reason = await order(verb, args);
  put("cue-error", reason);
  if (reason) return;
  at("cue-sheet").close();
  say(verb === "insert" ? `${fields.name || "the cue"} is put in` : verb === "again" ? `${cue.name} comes again next` : `${cue.name} is changed`, true);
}

export const wire = () => form().addEventListener("submit", save);
