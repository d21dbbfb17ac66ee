"use strict";
/* Plays the programme in a <video> by WHEP, and connects again by itself whenever it breaks off.

   const player = new Player(video, { url: "/whep", tell: text => ... });   tell("") when it plays
   player.start();  player.stop();                                                              */
class Player {
  static STALL_MS = 2000;
  static CONNECT_MS = 8000;
  static PAUSE_MS = [300, 5000];

  constructor(video, { url = "/whep", tell = () => {} } = {}) {
    Object.assign(this, { video, url, tell, peer: null, session: "", tag: "", pause: Player.PAUSE_MS[0], timer: 0 });
    video.addEventListener("playing", () => { this.pause = Player.PAUSE_MS[0]; this.tell(""); });
  }

  start() { this.stop(); this.wanted = true; this.#connect(); }

  stop() { this.wanted = false; clearTimeout(this.timer); this.#hangUp(); }

  async #connect() {
    const peer = this.peer = new RTCPeerConnection();
    const own = () => peer === this.peer && this.wanted;
    try {
      peer.setConfiguration({ iceServers: await this.#servers() });
      if (!own()) return peer.close();
      const stream = new MediaStream();
      const candidates = [];
      for (const kind of ["video", "audio"]) peer.addTransceiver(kind, { direction: "recvonly" });
      peer.ontrack = e => { stream.addTrack(e.track); this.video.srcObject = stream; this.video.play().catch(() => {}); };
      peer.onconnectionstatechange = () => { if (peer.connectionState === "failed") this.#again("The programme was interrupted; connecting again…", own); };
      peer.onicecandidate = e => { if (e.candidate) { candidates.push(e.candidate); if (own()) this.#tellCandidates(peer, candidates); } };
      const offer = await peer.createOffer();
      offer.sdp = Player.stereo(offer.sdp);
      await peer.setLocalDescription(offer);
      const answer = await fetch(this.url, { method: "POST", headers: { "Content-Type": "application/sdp" }, body: offer.sdp });
      if (!answer.ok) return this.#again(`No picture: ${(await answer.json()).reason}`, own);
      const session = new URL(answer.headers.get("Location"), new URL(this.url, location)).href;
      if (!own()) return Player.#delete(session);
      this.session = session;
      this.tag = answer.headers.get("ETag");
      await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
      this.#tellCandidates(peer, candidates);
      this.#watch(peer, own);
    } catch (error) { this.#again("No picture; trying again…", own); }
  }

  // The programme never stands still, so that silence means that it is gone. WebRTC itself takes longer to notice.
  async #watch(peer, own) {
    let bytes = -1, since = performance.now(), limit = Player.CONNECT_MS;
    while (own()) {
      let now = 0;
      for (const report of (await peer.getStats()).values())
        if (report.type === "inbound-rtp") now += report.bytesReceived;
      if (now !== bytes) { bytes = now; since = performance.now(); if (now) limit = Player.STALL_MS; }
      else if (performance.now() - since > limit) return this.#again("The programme was interrupted; connecting again…", own);
      await new Promise(done => setTimeout(done, 250));
    }
  }

  #again(text, own) {
    if (!own()) return;
    this.#hangUp();
    this.tell(text);
    this.timer = setTimeout(() => this.#connect(), this.pause);
    this.pause = Math.min(Player.PAUSE_MS[1], this.pause * 1.7);
  }

  #hangUp() {
    const { peer, session } = this;
    Object.assign(this, { peer: null, session: "", tag: "" });
    if (peer) peer.close();
    if (session) Player.#delete(session);
  }

  static #delete(session) { fetch(session, { method: "DELETE", keepalive: true }).catch(() => {}); }

  async #servers() {
    const link = (await fetch(this.url, { method: "OPTIONS" })).headers.get("Link") || "";
    return Player.servers(link);
  }

  async #tellCandidates(peer, candidates) {
    if (!this.session || !candidates.length) return;
    const local = peer.localDescription.sdp, of = name => (local.match(new RegExp(`^a=${name}:(.*)$`, "m")) || [])[1].trim();
    const lines = [`a=ice-ufrag:${of("ice-ufrag")}`, `a=ice-pwd:${of("ice-pwd")}`, "m=video 9 UDP/TLS/RTP/SAVPF 0", `a=mid:${of("mid")}`,
      ...candidates.splice(0).filter(c => c.candidate).map(c => `a=${c.candidate}`)];
    const headers = { "Content-Type": "application/trickle-ice-sdpfrag", "If-Match": this.tag };
    await fetch(this.session, { method: "PATCH", headers, body: lines.join("\r\n") + "\r\n" }).catch(() => {});
  }

  // Chromium takes Opus as mono unless the offer asks for stereo.
  static stereo(sdp) {
    const opus = (sdp.match(/^a=rtpmap:(\d+) opus\/48000/mi) || [])[1];
    return sdp.replace(new RegExp(`^(a=fmtp:${opus} )(?!.*\\bstereo=1)([^\\r\\n]*)`, "m"), "$1$2;stereo=1;sprop-stereo=1");
  }

  // Link: <turn:host?transport=udp>; rel="ice-server"; username="..."; credential="..."
  static servers(link) {
    return link.split(/,\s*(?=<)/).filter(part => /rel="?ice-server/.test(part)).map(part => {
      const word = name => ((part.match(new RegExp(`${name}="((?:[^"\\\\]|\\\\.)*)"`)) || [])[1] || "").replace(/\\(.)/g, "$1");
      const server = { urls: part.slice(part.indexOf("<") + 1, part.indexOf(">")) };
      return word("username") ? { ...server, username: word("username"), credential: word("credential") } : server;
    });
  }
}
