/** Who is here and what they may do; the server decides, this only shows it beforehand. */

import { at, put } from "/dom.js";
import { ask } from "/orders.js";
import { show } from "/store.js";

// What a role cannot use.
const ACTS = ["go", "hold", "skip", "back", "fade", "panic", "undo", "redo", "change-box", "cue-standby", "cue-again", "cue-regenerate", "cue-out", "endless", "takes", "poll-open", "poll-close"];
const EDITS = ["lock", "cue-edit", "cue-up", "cue-down", "cue-insert", "setlist-save", "setlist-take"];
const BARRED = { view: [...ACTS, ...EDITS], control: EDITS, edit: [] };

export async function learn() {
  const [status, me] = await ask("GET", "/api/me");
  if (status !== 200) return;
  show.me = me;
  for (const id of [...ACTS, ...EDITS]) at(id).inert = (BARRED[me.role] || []).includes(id);
  at("who").hidden = !me.login;
  put("who", `${me.who} (${me.role}): log out`);
  at("who").onclick = async () => {
    await ask("POST", "/api/logout", {});
    location.assign("/login");
  };
}
