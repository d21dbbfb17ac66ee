/** The programme as the audience has it; without sound until somebody asks for it. */

/* global Player */
import { at, put, set } from "/dom.js";

const video = at("video"), sound = at("sound");
let wanted = false;

function tell(text) {
  at("veil").hidden = !text;
  sound.hidden = !!text;
  if (text) put("veil", text);
}

function show() {
  put("sound", wanted ? "Sound is on" : "Sound is off");
  set(sound, "aria-pressed", String(wanted));
}

export function toggle() {
  if (sound.hidden) return;
  wanted = !wanted;
  video.muted = !wanted;
  video.play().catch(() => {});
  show();
}

export function wire() {
  // `Player` is /player.js, which pages of other sites take, too.
  const player = new Player(video, { tell });
  show();
  sound.onclick = toggle;
  // What is listened to beforehand and what is on air are never heard together.
  document.addEventListener("audition", event => { video.muted = event.detail || !wanted; });
  player.start();
  addEventListener("pagehide", () => player.stop());
  addEventListener("pageshow", event => event.persisted && player.start());
}
