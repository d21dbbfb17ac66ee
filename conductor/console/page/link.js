/** The WebSocket: a state, then numbered differences; after a break it goes on where it was. */

import { changed, metered, show } from "/store.js";

const PAUSE_MS = [300, 5000];
let run = "", number = -1, pause = PAUSE_MS[0], told = () => {};

/** Apply a JSON Patch (add, remove, replace) to a state. */
export function patch(state, operations) {
  for (const { op, path, value } of operations) {
    const keys = path.slice(1).split("/").map(key => key.replaceAll("~1", "/").replaceAll("~0", "~"));
    const last = keys.pop(), into = keys.reduce((node, key) => node[key], state);
    if (!Array.isArray(into)) {
      if (op === "remove") delete into[last];
      else into[last] = value;
    } else if (op === "replace") into[last] = value;
    else if (op === "remove") into.splice(+last, 1);
    else into.splice(last === "-" ? into.length : +last, 0, value);
  }
}

function hear(said, socket) {
  if (said.kind === "meters") {
    show.meters = said.meters;
    metered();
  } else if (said.kind === "state") {
    [run, number, show.state] = [said.run, said.number, said.state];
    changed();
  } else if (said.kind === "delta") {
    // A gap cannot be, but what would follow from one is not to be guessed at.
    if (said.number !== number + 1 || !show.state) { number = -1; socket.close(); return; }
    patch(show.state, said.patch);
    number = said.number;
    changed();
  }
}

function connect() {
  const query = number >= 0 ? `?run=${encodeURIComponent(run)}&since=${number}` : "";
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/events${query}`);
  socket.onopen = () => { pause = PAUSE_MS[0]; show.there = true; told(true); };
  socket.onmessage = event => hear(JSON.parse(event.data), socket);
  socket.onclose = () => {
    show.there = false;
    told(false);
    setTimeout(connect, pause);
    pause = Math.min(PAUSE_MS[1], pause * 1.7);
  };
}

/** Listen for ever; `tell` is called with whether the conductor can be reached. */
export function listen(tell) {
  told = tell;
  connect();
}
