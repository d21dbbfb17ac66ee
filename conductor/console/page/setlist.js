/** The setlist's editor: checked while it is typed, mistakes in the line where they are. */

import { at, el, keep, put } from "/dom.js";
import { act, ask } from "/orders.js";
import { show } from "/store.js";

const CHECK_MS = 500;
let version = "", timer = 0, mistakes = [], saved = "";

const area = () => at("setlist-text");

export async function open() {
  at("setlist-sheet").showModal();
  await load();
  area().focus();
  area().setSelectionRange(0, 0);
  area().scrollTop = 0;
}

async function load() {
  const [status, answer] = await ask("GET", "/api/setlist");
  if (status !== 200) return put("setlist-state", answer.reason || "the setlist cannot be read");
  put("setlist-head", answer.name);
  version = answer.version;
  area().value = saved = answer.text;
  tell(answer.mistakes, answer.news);
}

function tell(wrong = [], news = []) {
  mistakes = wrong;
  paint();
  keep("setlist-mistakes", wrong, () => wrong.map(one => el("li", {},
    el("button", { class: "link", onclick: () => jump(one) }, `${one.line}:${one.column}`), ` ${one.text}`)));
  keep("setlist-news", news, () => news.map(line => el("li", {}, line)));
  const changed = area().value !== saved;
  put("setlist-state", wrong.length ? `${wrong.length} ${wrong.length === 1 ? "mistake" : "mistakes"}; the show plays on as it was` :
    changed ? "No mistakes. Save, then take it up." : news.length ? "Saved; taken up it would be different:" : "As it is played.");
  at("setlist-save").disabled = !changed || wrong.length > 0;
  at("setlist-take").disabled = changed || !(show.state?.setlist?.news || []).length || !!show.state?.setlist?.trouble;
}

// The text again, under the transparent one: line numbers, and what is wrong behind the line that has it.
function paint() {
  const wrong = new Map();
  for (const one of mistakes) if (!wrong.has(one.line)) wrong.set(one.line, one);
  at("setlist-under").replaceChildren(...area().value.split("\n").map((text, n) => {
    const one = wrong.get(n + 1), line = el("span", one ? "bad" : "");
    if (!one) line.append(text || " ");
    else {
      const from = Math.max(0, one.column - 1), word = /^\S+/.exec(text.slice(from))?.[0] || text.slice(from) || " ";
      line.append(text.slice(0, from), el("mark", {}, word), text.slice(from + word.length), el("em", {}, one.text));
    }
    return line;
  }));
  scroll();
}

function scroll() {
  at("setlist-under").scrollTop = area().scrollTop;
  at("setlist-under").scrollLeft = area().scrollLeft;
}

function jump({ line, column }) {
  const before = area().value.split("\n").slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
  area().focus();
  area().setSelectionRange(before + column - 1, before + column - 1);
  area().scrollTop = Math.max(0, (line - 5) * parseFloat(getComputedStyle(area()).lineHeight));
}

async function check() {
  const text = area().value, [status, answer] = await ask("POST", "/api/setlist/check", { text });
  if (text !== area().value) return;
  if (status === 200) tell(answer.mistakes, answer.news);
  else put("setlist-state", answer.reason || "it cannot be checked now");
}

async function save() {
  clearTimeout(timer);
  const text = area().value, [status, answer] = await ask("PUT", "/api/setlist", { text, version });
  if (status === 200) {
    version = answer.version ?? version;
    saved = text;
    tell([], answer.news);
    // The show has read it by the time that it says so.
    at("setlist-take").disabled = !(answer.news || []).length;
  } else if (answer.mistakes) tell(answer.mistakes, []);
  else put("setlist-state", answer.reason || "it could not be saved");
}

async function takeUp() {
  if (await act("reload")) at("setlist-sheet").close();
  else put("setlist-state", at("say").textContent);
}

/** What waits to be taken up is told beside the button that opens the editor, too. */
export function draw(state) {
  const waiting = state.setlist?.news?.length || 0;
  put("editor", state.setlist?.trouble ? "Setlist: mistakes" : waiting ? `Setlist: ${waiting} new` : "Setlist");
  at("editor").classList.toggle("waits", waiting > 0);
  if (at("setlist-sheet").open && area().value === saved && !mistakes.length) at("setlist-take").disabled = !waiting;
}

export function wire() {
  at("setlist-save").onclick = save;
  at("setlist-take").onclick = takeUp;
  at("setlist-again").onclick = load;
  area().addEventListener("scroll", scroll);
  area().addEventListener("input", () => {
    mistakes = [];
    paint();
    clearTimeout(timer);
    timer = setTimeout(check, CHECK_MS);
  });
  at("setlist-sheet").addEventListener("keydown", event => {
    if (!event.ctrlKey && !event.metaKey) return;
    if (event.key === "s") { event.preventDefault(); if (!at("setlist-save").disabled) save(); }
    if (event.key === "Enter") { event.preventDefault(); if (!at("setlist-take").disabled) takeUp(); }
  });
}
