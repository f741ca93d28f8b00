// WHIP and WHEP in a browser: one offer, one answer; a lost path is renewed by an ICE restart.
"use strict";

function grantOf(token) {
  const bytes = Uint8Array.from(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")), c => c.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

// clientSecret is what the relay knows this tab by when it comes again.
function clientSecret() {
  let secret = sessionStorage.getItem("sightline-client");
  if (!secret) {
    secret = Array.from(crypto.getRandomValues(new Uint8Array(16)), b => b.toString(16).padStart(2, "0")).join("");
    sessionStorage.setItem("sightline-client", secret);
  }
  return secret;
}

class Refused extends Error {
  constructor(response, text) {
    super(text);
    this.status = response.status;
    this.after = Number(response.headers.get("Retry-After"));
  }
}

class Session {
  constructor(address, token, pc, say) {
    Object.assign(this, {address, token, pc, say});
    this.over = new Promise(done => { this.end = done; });
    pc.oniceconnectionstatechange = () => {
      say(pc.iceConnectionState);
      if (pc.iceConnectionState === "disconnected" || pc.iceConnectionState === "failed") this.restart();
    };
  }

  async ask(method, address, type, body, match) {
    const headers = {Authorization: "Bearer " + this.token, "Sightline-Client": clientSecret()};
    if (type) headers["Content-Type"] = type;
    if (match) headers["If-Match"] = match;
    const r = await fetch(address, {method, headers, body});
    if (!r.ok) throw new Refused(r, (await r.text()).trim() || r.statusText);
    return r;
  }

  // find leads to the relay that has the room, where there are many: a page does not see where it is led by a
  // redirection, and its token is not sent along. While a relay is away, the next one is asked.
  async find() {
    const at = new URL(this.address), room = at.pathname.split("/").pop();
    for (const base of [...new Set([at.origin, location.origin, ...(this.relays || [])])]) {
      let r;
      try {
        r = await this.ask("GET", base + "/where/" + room);
      } catch (e) {
        if (e instanceof Refused && e.status !== 404) throw e;
        continue;
      }
      const {url, relays} = await r.json();
      this.relays = relays;
      if (url) this.address = url.replace(/\/$/, "") + at.pathname + at.search;
      return;
    }
  }

  // enter makes the session. Who is told to wait, in the lobby or for room, asks again when he may.
  async enter() {
    for (;;) {
      try {
        await this.find();
        return await this.ask("POST", this.address, "application/sdp", this.pc.localDescription.sdp);
      } catch (e) {
        if (!(e.status === 503 && e.after) || this.pc.signalingState === "closed") throw e;
        this.say(e.message);
        await new Promise(done => setTimeout(done, 1000 * e.after));
      }
    }
  }

  async open() {
    await this.pc.setLocalDescription();
    await gathered(this.pc);
    const r = await this.enter();
    this.resource = new URL(r.headers.get("Location"), this.address).href;
    this.etag = r.headers.get("ETag");
    this.recording = r.headers.get("Sightline-Recording") || "";
    this.answer = await r.text();
    await this.pc.setRemoteDescription({type: "answer", sdp: this.answer});
  }

  // consent says whether this device may be recorded: "given" or "refused".
  async consent(state) {
    const r = await fetch(this.resource + "/consent", {method: "POST", headers: {Authorization: "Bearer " + this.token, "Sightline-Consent": state}});
    if (!r.ok) throw new Refused(r, (await r.text()).trim() || r.statusText);
    this.recording = r.headers.get("Sightline-Recording") || "";
  }

  // restart asks for a new path: after a change of network, without leaving the session.
  async restart() {
    if (this.restarting) return;
    this.restarting = true;
    try {
      await this.pc.setLocalDescription(await this.pc.createOffer({iceRestart: true}));
      await gathered(this.pc);
      const fragment = this.pc.localDescription.sdp.split("\r\n").filter(l => /^a=(ice-ufrag|ice-pwd|candidate)/.test(l));
      const r = await this.ask("PATCH", this.resource, "application/trickle-ice-sdpfrag", fragment.join("\r\n") + "\r\n", "*");
      this.etag = r.headers.get("ETag");
      const text = await r.text();
      const value = key => text.match(new RegExp(`^a=${key}:(.*?)\\r?$`, "m"))[1];
      this.answer = this.answer.replace(/^a=ice-ufrag:.*$/gm, "a=ice-ufrag:" + value("ice-ufrag"))
        .replace(/^a=ice-pwd:.*$/gm, "a=ice-pwd:" + value("ice-pwd"));
      await this.pc.setRemoteDescription({type: "answer", sdp: this.answer});
    } catch (e) {
      this.say("lost: " + e.message);
      this.end("lost");
    }
    this.restarting = false;
  }

  async close() {
    this.leave();
    this.end("closed");
    try {
      if (this.resource) await this.ask("DELETE", this.resource);
    } finally {
      this.pc.close();
    }
  }

  // leave stops minding the connection.
  leave() {
    this.pc.oniceconnectionstatechange = null;
  }
}

// keep holds a session open until it is closed: where its path is lost and cannot be renewed, because the relay is gone or
// has forgotten it, another is made, at the relay that has the room then. begin makes a session, opened hears of each. It
// throws only what trying again cannot mend.
async function keep(begin, opened) {
  for (let wait = 0; ; wait = Math.min(wait + 1, 5)) {
    const session = begin();
    try {
      await session.open();
      opened();
      wait = 0;
      if (await session.over === "closed") return;
    } catch (e) {
      if (e instanceof Refused && e.status < 500) throw e;
      session.say("the relay does not answer: " + e.message);
    }
    session.leave();
    session.pc.close();
    await new Promise(done => setTimeout(done, 1000 * wait));
  }
}

function gathered(pc) {
  if (pc.iceGatheringState === "complete") return Promise.resolve();
  return new Promise(done => {
    const late = setTimeout(done, 2000);
    pc.addEventListener("icegatheringstatechange", () => {
      if (pc.iceGatheringState === "complete") { clearTimeout(late); done(); }
    });
  });
}

// prefer puts a codec first, "video/VP9" or "" for the browser's own order.
function prefer(transceiver, mime) {
  if (!mime) return;
  const all = RTCRtpSender.getCapabilities("video").codecs;
  const first = all.filter(c => c.mimeType.toLowerCase() === mime.toLowerCase());
  transceiver.setCodecPreferences([...first, ...all.filter(c => /rtx/i.test(c.mimeType))]);
}
