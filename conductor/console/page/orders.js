/** Orders: said once, answered in a line. */

import { at, put } from "/dom.js";
import { show, standby } from "/store.js";

const SHOWN_MS = 6000;
let timer = 0, count = 0;

export function say(text, good = false) {
  put("say", text);
  at("say").classList.toggle("good", good);
  clearTimeout(timer);
  timer = setTimeout(() => put("say", ""), SHOWN_MS);
}

/** Ask the server; returns [status, answer], and 0 where it cannot be reached. */
export async function ask(method, path, body) {
  try {
    const headers = { "X-Conductor": "console" };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    if (answer.status === 401) location.assign("/login");
    return [answer.status, await answer.json().catch(() => ({}))];
  } catch {
    return [0, { ok: false, reason: "the conductor cannot be reached" }];
  }
}

/** Say a verb; returns why not, or nothing when it was done. */
export async function order(verb, args = {}) {
  // A request that was lost on its way may be repeated and is carried out once.
  const request_id = `page-${Date.now().toString(36)}-${++count}`;
  let [status, answer] = await ask("POST", `/api/${verb}`, { ...args, request_id });
  if (!status) [status, answer] = await ask("POST", `/api/${verb}`, { ...args, request_id });
  return answer.ok ? "" : answer.reason || `not done (${status})`;
}

/** Say a verb and show why it was refused; returns whether it was done. */
export async function act(verb, args = {}) {
  const reason = await order(verb, args);
  if (reason) say(`${verb}: ${reason}`);
  return !reason;
}

/* --- GO --- */

export const LOCKOUT_MS = 500;
let latest = -Infinity, refused = 0;

/** One press is one GO, and it starts what the operator sees as standby or nothing. */
export async function go() {
  const now = performance.now();
  if (now - latest < LOCKOUT_MS) return refuse("GO was just given");
  latest = now;
  const next = standby(), before = refused;
  const reason = await order("go", { expect_standby: show.state?.standby || "" });
  if (reason) return refuse(reason);
  const button = at("go");
  button.classList.add("yes");
  setTimeout(() => button.classList.remove("yes"), 400);
  // Why a second press was refused meanwhile stays to be read.
  if (refused === before) say(`GO ${next ? next.name : ""}`, true);
}

function refuse(reason) {
  refused++;
  say(`GO refused: ${reason}`);
  const button = at("go");
  button.classList.remove("no");
  // Read, so that the animation begins anew.
  void button.offsetWidth;
  button.classList.add("no");
  setTimeout(() => button.classList.remove("no"), 900);
}
