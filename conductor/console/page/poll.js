/** The audience: the poll that is open, its counts and time, and the buttons that open and close one. */

import { at, el, keep, put } from "/dom.js";
import { act } from "/orders.js";

// Seconds left are told with each count; in between this page counts them itself.
let ends = 0, open = false;

export function draw(state) {
  const poll = state.poll;
  at("poll").hidden = state.chat == null;
  if (state.chat == null) return;
  if (poll?.open) ends = performance.now() + 1000 * poll.left_s;
  open = !!poll?.open;
  put("poll-state", told(state, poll));
  const most = Math.max(1, ...(poll?.choices || []).map(choice => choice.votes));
  keep("poll-choices", [poll?.choices, poll?.winner], () => (poll?.choices || []).map((choice, n) => {
    const bar = el("i");
    bar.style.width = `${(100 * choice.votes) / most}%`;
    return el("li", choice.style === poll.winner ? "won" : "",
      el("span", "what", `${n + 1}  ${choice.style.replaceAll("_", " ")}`),
      el("span", "num", `${choice.votes}${choice.style === poll.winner ? " wins" : ""}`),
      el("div", { class: "line", "aria-hidden": "true" }, bar));
  }));
  at("poll-open").disabled = open || !state.chat || !state.endless;
  at("poll-close").disabled = !open;
  tick();
}

function told(state, poll) {
  if (poll?.open) return poll.by ? `asked by ${poll.by}` : "the audience votes";
  if (poll) return poll.winner ? "decided" : "nobody voted";
  if (!state.chat) return "the chat is not read now";
  return state.endless ? "no poll is open" : "polls are about what is drawn; nothing is";
}

export function tick() {
  const left = Math.max(0, Math.ceil((ends - performance.now()) / 1000));
  put("poll-left", open ? `${left} s` : "");
}

export function wire() {
  at("poll-open").onclick = () => act("poll");
  at("poll-close").onclick = () => act("close-poll");
  setInterval(tick, 1000);
}
