/** A sketch of a piece in the browser: plain oscillators, to judge notes by, not the show's sound. */

const AHEAD_S = 0.4, EVERY_MS = 100, MASTER = 0.16;
const TONES = {
  piano: ["triangle", 0.004, 1.4], harp: ["triangle", 0.004, 1.0], guitar: ["triangle", 0.004, 0.9],
  strings: ["sawtooth", 0.09, 0], violin: ["sawtooth", 0.06, 0], cello: ["sawtooth", 0.07, 0],
  bass: ["triangle", 0.008, 1.2], flute: ["sine", 0.04, 0], clarinet: ["square", 0.03, 0],
  trumpet: ["sawtooth", 0.03, 0], winds: ["sine", 0.04, 0], choir: ["sine", 0.1, 0], organ: ["sine", 0.01, 0],
};
let context = null, noise = null, playing = null;

function start() {
  context ||= new AudioContext();
  if (!noise) {
    noise = context.createBuffer(1, context.sampleRate / 4, context.sampleRate);
    const wave = noise.getChannelData(0);
    for (let n = 0; n < wave.length; n++) wave[n] = Math.random() * 2 - 1;
  }
  return context.resume();
}

function sound(out, name, at, length, pitch, velocity) {
  const gain = context.createGain(), loud = (velocity / 127) ** 1.5;
  gain.connect(out);
  if (name === "drums") {
    const hit = new AudioBufferSourceNode(context, { buffer: noise, playbackRate: 0.4 + (pitch - 35) / 24 });
    gain.gain.setValueAtTime(loud * 0.8, at);
    gain.gain.exponentialRampToValueAtTime(0.001, at + 0.16);
    hit.connect(gain);
    hit.start(at);
    hit.stop(at + 0.2);
    return hit;
  }
  const [type, attack, decay] = TONES[name] || TONES.piano;
  const wave = new OscillatorNode(context, { type, frequency: 440 * 2 ** ((pitch - 69) / 12) });
  const filter = new BiquadFilterNode(context, { type: "lowpass", frequency: 900 + 3600 * loud });
  const end = at + Math.max(length, attack + 0.03);
  gain.gain.setValueAtTime(0, at);
  gain.gain.linearRampToValueAtTime(loud, at + attack);
  if (decay) gain.gain.setTargetAtTime(loud * 0.12, at + attack, decay / 3);
  gain.gain.setTargetAtTime(0, end, 0.05);
  wave.connect(filter).connect(gain);
  wave.start(at);
  wave.stop(end + 0.4);
  return wave;
}

/**
 * Play notes from the beginning; what was played before ends.
 * Args: piece: as of pieces.notes; tick: called with the second, and null when it is over.
 */
export async function play(piece, tick) {
  stop();
  const mine = (playing = { tick, timer: 0, out: null });
  await start();
  if (playing !== mine) return;
  const out = (mine.out = context.createGain());
  out.gain.value = MASTER;
  const squeeze = context.createDynamicsCompressor();
  out.connect(squeeze).connect(context.destination);
  const begun = context.currentTime + 0.1, notes = [...piece.notes].sort((a, b) => a[0] - b[0]);
  let next = 0;
  const step = () => {
    const now = context.currentTime - begun;
    for (; next < notes.length && notes[next][0] < now + AHEAD_S; next++) {
      const [onset, length, pitch, velocity, instrument] = notes[next];
      sound(out, piece.instruments[instrument], Math.max(context.currentTime, begun + onset), length, pitch, velocity);
    }
    if (now > piece.duration_s + 0.5) return stop();
    tick(Math.max(0, now));
    mine.timer = setTimeout(step, EVERY_MS);
  };
  step();
}

export function stop() {
  if (!playing) return;
  const { tick, timer, out } = playing;
  playing = null;
  clearTimeout(timer);
  if (out) {
    out.gain.setTargetAtTime(0, context.currentTime, 0.03);
    setTimeout(() => out.disconnect(), 300);
  }
  tick(null);
}

/** Whether something is played, and how loud it is allowed to be: for tests that cannot hear. */
export const state = () => ({ playing: !!playing, running: context?.state === "running" });
