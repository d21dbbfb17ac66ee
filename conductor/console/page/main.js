/** The console: everything drawn from one state, everything said through one door. */

import { at, put, set } from "/dom.js";
import { listen } from "/link.js";
import { onMeters, onState } from "/store.js";
import * as alerts from "/alerts.js";
import * as asrun from "/asrun.js";
import * as cueform from "/cueform.js";
import * as cues from "/cues.js";
import * as keys from "/keys.js";
import * as next from "/next.js";
import * as onair from "/onair.js";
import * as outputs from "/outputs.js";
import * as poll from "/poll.js";
import * as preview from "/preview.js";
import * as setlist from "/setlist.js";
import { learn } from "/roles.js";

function drawTools(state) {
  for (const name of ["undo", "redo"]) {
    at(name).disabled = !state[name];
    at(name).title = state[name] ? `${name} ${state[name]}` : `nothing to ${name}`;
  }
  set(at("lock"), "aria-pressed", String(state.locked));
  put("lock", state.locked ? "Locked" : "Lock");
  set(at("hold"), "aria-pressed", String(state.held));
  put("hold", state.held ? "Release" : "Hold");
  put("panic", state.panicked ? "Cut" : "Panic");
  at("skip").disabled = !state.live && !state.standby;
}

function there(yes) {
  const gone = at("gone");
  gone.hidden = yes;
  put("gone", yes ? "" : "The conductor cannot be reached; trying again. The show plays on.");
}

onState(drawTools);
onState(onair.draw);
onState(next.draw);
onState(cues.draw);
onState(asrun.draw);
onState(setlist.draw);
onState(poll.draw);
onMeters(onair.tick);
onMeters(next.drawSafety);
onMeters(alerts.draw);
onMeters(outputs.draw);

const tell = () => put("time", new Date().toLocaleTimeString([], { hour12: false }));
tell();
setInterval(tell, 1000);
new ResizeObserver(next.redraw).observe(at("roll"));

cueform.wire();
keys.wire();
onair.wire();
poll.wire();
setlist.wire();
listen(there);
preview.wire();
learn();
// Nobody waits for it.
setTimeout(asrun.learn, 1000);
