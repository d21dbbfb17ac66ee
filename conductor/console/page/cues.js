/** The list of cues. What is selected here is not what is standby: arrows select, Enter makes it standby. */

import { at, el, put, set } from "/dom.js";
import { act } from "/orders.js";
import { find, show } from "/store.js";
import { badge, clock, coming, starts } from "/words.js";

const VERBS = ["standby", "edit", "again", "regenerate", "up", "down", "out"];
const rows = new Map();
let selected = "", followed = "";

export const selection = () => find(selected);

export function draw(state) {
  // The selection stays where the operator put it; one that nothing more can be done with goes on to standby.
  const was = find(selected);
  if (!was || (followed !== state.standby && (selected === followed || !coming(was)))) selected = state.standby || was?.id || state.cues.at(-1)?.id || "";
  const made = state.cues.map(cue => row(cue, state));
  const list = at("cues");
  if (made.length !== list.children.length || made.some((node, n) => node !== list.children[n])) {
    const focused = document.activeElement?.closest?.("#cues li")?.dataset.id;
    list.replaceChildren(...made);
    if (focused) rows.get(focused)?.node.firstChild.focus();
  }
  for (const id of rows.keys()) if (!find(id)) rows.delete(id);
  const cue = selection(), over = !cue || !coming(cue);
  for (const name of VERBS) at(`cue-${name}`).disabled = name === "again" ? !cue : over || (name === "standby" && cue.id === state.standby);
  for (const name of ["edit", "regenerate", "up", "down", "insert", "again"]) if (state.locked) at(`cue-${name}`).disabled = true;
  at("cue-insert").disabled = state.locked;
  const endless = at("endless");
  endless.disabled = state.endless === null;
  set(endless, "aria-pressed", String(!!state.endless));
  put("endless", state.endless ? "Endless: on" : "Endless");
  // The list follows the show, not the operator's eyes: only when standby has moved.
  if (followed !== state.standby) {
    followed = state.standby;
    reveal(rows.get(state.standby || state.live)?.node);
  }
}

// The list alone scrolls: a page that moves under the finger is no desk.
function reveal(node) {
  if (!node) return;
  const list = at("cues"), top = node.offsetTop - list.offsetTop;
  if (top < list.scrollTop) list.scrollTop = top;
  else if (top + node.offsetHeight > list.scrollTop + list.clientHeight) list.scrollTop = top + node.offsetHeight - list.clientHeight;
}

function row(cue, state) {
  const standby = cue.id === state.standby, picked = cue.id === selected;
  const { fraction, ...rest } = cue, key = JSON.stringify([rest, standby, picked]);
  let known = rows.get(cue.id);
  if (!known) rows.set(cue.id, (known = { node: el("li", { "data-id": cue.id }, el("button", { onclick: () => select(cue.id), ondblclick: () => act("standby", { cue: cue.id }) })), key: "" }));
  if (known.key !== key) {
    known.key = key;
    known.node.className = [cue.phase, standby ? "standby" : "", picked ? "picked" : ""].join(" ");
    const button = known.node.firstChild;
    set(button, "tabindex", picked ? "0" : "-1");
    set(button, "aria-pressed", String(picked));
    set(button, "aria-current", cue.phase === "live" ? "true" : null);
    const [sign, word] = badge(cue, standby);
    const small = [cue.style, clock(cue.duration_s), coming(cue) ? starts(cue) : "", cue.reason].filter(Boolean).join(" · ");
    button.replaceChildren(...[el("span", "no num", cue.number), el("span", "title", cue.name),
      el("span", "badge", el("span", { "aria-hidden": "true" }, sign), " ", el("span", "word", word)), el("span", "small", small),
      cue.phase === "composing" ? el("span", "line blue", el("i")) : ""].filter(Boolean));
  }
  if (cue.phase === "composing") {
    known.node.querySelector(".line i").style.width = `${fraction * 100}%`;
    const word = known.node.querySelector(".word"), [, text] = badge(cue, standby);
    if (word.textContent !== text) word.textContent = text;
  }
  return known.node;
}

export function select(id, focus = false) {
  selected = id;
  draw(show.state);
  const node = rows.get(id)?.node;
  reveal(node);
  if (focus) node?.firstChild.focus();
}

/** Select the next (+1) or the one before (-1). */
export function step(by) {
  const cues = show.state.cues, place = cues.findIndex(cue => cue.id === selected);
  const cue = cues[Math.min(cues.length - 1, Math.max(0, place + by))];
  if (cue) select(cue.id, true);
}

export const makeStandby = () => selected && act("standby", { cue: selected });
export const regenerate = () => selected && act("regenerate", { cue: selected });
export const leaveOut = () => selected && act("skip", { cue: selected });
export const switchEndless = () => act("endless", { on: !show.state.endless });

/** Move the selected cue among those to come. */
export function move(by) {
  const ahead = show.state.cues.filter(coming), place = ahead.findIndex(cue => cue.id === selected);
  const to = place + 1 + by;
  if (place >= 0 && to >= 1 && to <= ahead.length) return act("move", { cue: selected, to });
}
