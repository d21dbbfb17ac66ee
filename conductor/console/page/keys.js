/** The keyboard: single keys act wherever the focus is, but in fields and dialogs. */

import { at, el } from "/dom.js";
import { act, go } from "/orders.js";
import { show } from "/store.js";
import * as alerts from "/alerts.js";
import * as cueform from "/cueform.js";
import * as cues from "/cues.js";
import * as next from "/next.js";
import * as preview from "/preview.js";
import * as setlist from "/setlist.js";

const FADE_S = 4, KEY = "single-keys";
const dark = matchMedia("(prefers-color-scheme: dark)");

export const verbs = {
  hold: () => act(show.state?.held ? "release" : "hold"),
  skip: () => act("skip"),
  back: () => act("back"),
  fade: () => act("fade", { seconds: FADE_S }),
  panic: () => act("panic"),
  undo: () => act("undo"),
  redo: () => act("redo"),
  lock: () => act("lock", { on: !show.state?.locked }),
};

function theme() {
  const root = document.documentElement, now = root.dataset.theme || (dark.matches ? "dark" : "light");
  root.dataset.theme = now === "dark" ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
  next.redraw();
}

function toChange() {
  at("change-box").open = true;
  at("change-style").focus();
}

const help = () => at("help-sheet").showModal();

// [keys as told, what they do, keys as of KeyboardEvent, action]
const KEYS = [
  ["Space", "GO: start the standby cue", [], null],
  ["↑ ↓", "select a cue", ["ArrowUp", "ArrowDown"], event => cues.step(event.key === "ArrowUp" ? -1 : 1)],
  ["Enter", "make the selected cue standby (in the list)", [], null],
  ["⌥↑ ⌥↓", "move the selected cue", [], null],
  ["H", "hold, release", ["h"], verbs.hold],
  ["S", "skip: end what is on air early", ["s"], verbs.skip],
  ["B", "back: what was on air last is next", ["b"], verbs.back],
  ["F", `fade to the bed within ${FADE_S} s, and hold`, ["f"], verbs.fade],
  ["Esc", "panic: fade to the bed; again: cut to it", ["Escape"], verbs.panic],
  ["Z  ⇧Z", "undo, redo", ["z"], verbs.undo],
  ["E", "edit the selected cue", ["e"], () => cueform.open("edit")],
  ["I", "insert a cue", ["i"], () => cueform.open("insert")],
  ["A", "again: a copy of the selected cue is next", ["a"], () => cueform.open("again")],
  ["R", "regenerate the selected cue with another seed", ["r"], cues.regenerate],
  ["X", "leave the selected cue out", ["x"], cues.leaveOut],
  ["N", "endless on, off", ["n"], cues.switchEndless],
  ["1 – 9", "listen to a candidate, or stop", [..."123456789"], event => next.audition(Number(event.key) - 1)],
  ["T", "take the candidate that is heard", ["t"], next.takeListened],
  ["G", "go to the live change", ["g"], toChange],
  ["L", "lock the list, open it", ["l"], verbs.lock],
  ["O", "open the setlist", ["o"], setlist.open],
  ["C", "all alerts are seen", ["c"], alerts.seeAll],
  ["M", "sound of the preview on, off", ["m"], preview.toggle],
  ["D", "dark or light", ["d"], theme],
  ["?", "this sheet", ["?"], help],
];
const table = new Map(KEYS.flatMap(([, , keys, action]) => keys.map(key => [key, action])));

const writes = node => node.matches?.("input:not([type=checkbox]), textarea, select");
const on = () => at("keys-on").checked;
let spaceDown = false;

function down(event) {
  const inside = document.querySelector("dialog[open]");
  if (inside) return;
  if (event.code === "Space" && !writes(event.target)) {
    // With single keys off a focused button is what the space bar presses.
    if (!on() && event.target.closest("button, a")) return;
    event.preventDefault();
    // One press is one GO: a held key repeats, and must come up again.
    if (!spaceDown && !event.repeat) go();
    spaceDown = true;
    return;
  }
  if (writes(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const row = event.target.closest?.("#cues button");
  if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
    event.preventDefault();
    cues.move(event.key === "ArrowUp" ? -1 : 1);
  } else if (row && event.key === "Enter") {
    event.preventDefault();
    if (!event.repeat) cues.makeStandby();
  } else if (event.key.toLowerCase() === "z" && !event.altKey && (on() || event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    (event.shiftKey ? verbs.redo : verbs.undo)();
  } else if (!event.ctrlKey && !event.metaKey && !event.altKey && (on() || row || event.key === "Escape")) {
    const arrow = event.key.startsWith("Arrow");
    // In a panel that scrolls, arrows scroll; only the body and the list select.
    if (arrow && !row && event.target !== document.body && event.target.tagName !== "BUTTON") return;
    const action = table.get(event.key.length === 1 ? event.key.toLowerCase() : event.key);
    if (!action || (event.repeat && !arrow)) return;
    event.preventDefault();
    action(event);
  }
}

export function wire() {
  addEventListener("keydown", down);
  addEventListener("keyup", event => {
    if (event.code !== "Space") return;
    // A button that has the focus would take the key coming up as a press of its own.
    if (spaceDown) event.preventDefault();
    spaceDown = false;
  });
  addEventListener("blur", () => { spaceDown = false; });
  const box = at("keys-on");
  box.checked = localStorage.getItem(KEY) !== "off";
  box.addEventListener("change", () => localStorage.setItem(KEY, box.checked ? "on" : "off"));
  at("help-keys").replaceChildren(...KEYS.flatMap(([keys, text]) => [el("dt", {}, el("kbd", {}, keys)), el("dd", {}, text)]));
  at("help").onclick = help;
  at("theme").onclick = theme;
  dark.addEventListener("change", next.redraw);
  for (const [name, verb] of Object.entries(verbs)) at(name).onclick = verb;
  at("go").onclick = go;
  at("editor").onclick = setlist.open;
  const own = { standby: cues.makeStandby, edit: () => cueform.open("edit"), again: () => cueform.open("again"), regenerate: cues.regenerate,
    up: () => cues.move(-1), down: () => cues.move(1), out: cues.leaveOut, insert: () => cueform.open("insert") };
  for (const [name, action] of Object.entries(own)) at(`cue-${name}`).onclick = action;
  at("endless").onclick = cues.switchEndless;
}
