"use strict";
// The rooms: who is in them, how their links are, the lobby, a live picture, and what a moderator may do.

const rungs = {
  "full": ["good", "gets the whole picture"],
  "small": ["good", "gets a smaller picture: the link does not bear the whole"],
  "fewer": ["good", "gets fewer pictures a second: the link does not bear all"],
  "key-frames": ["warn", "gets still pictures only: the link is narrow"],
  "stills": ["bad", "gets a still picture now and then: the link is very narrow"],
  "off": ["bad", "gets sound and marks only: the link is very narrow"],
};

class Rooms {
  constructor(me, act) {
    this.me = me;
    this.act = act; // runs what changes something, and shows what went wrong
    this.chosen = "";
    this.may = me.rights.includes("moderate");
    this.preview = new Preview();
    this.parts = {head: h("div", {class: "card"}), lobby: h("div"), people: h("div", {class: "card"})};
    document.getElementById("room").append(this.parts.head, this.parts.lobby,
      h("div", {class: "split"}, this.parts.people, this.preview.card));
  }

  async refresh() {
    const {rooms, waiting} = await api.get("/rooms");
    const names = [...new Set([...rooms.map(r => r.room), ...Object.keys(waiting)])].sort();
    if (!names.includes(this.chosen)) this.chosen = names[0] || "";
    this.list(names, rooms, waiting);
    const room = rooms.find(r => r.room === this.chosen);
    const asks = this.may && this.chosen && waiting[this.chosen] ? (await api.get(`/rooms/${this.chosen}/lobby`)).waiting : [];
    this.head(room);
    this.lobby(asks);
    this.people(room);
    this.preview.update(room);
  }

  list(names, rooms, waiting) {
    redraw(document.getElementById("list"), [names, rooms.map(r => [r.participants.length, r.locked]), waiting, this.chosen], () =>
      names.length === 0 ? [h("p", {class: "quiet"}, "No room is open.")] : names.map(name => {
        const room = rooms.find(r => r.room === name);
        return h("button", {"aria-current": name === this.chosen, onclick: () => { this.chosen = name; this.act(() => {}); }},
          h("span", {}, name, room && room.locked ? " 🔒" : ""),
          h("span", {class: "count"}, waiting[name] ? h("span", {class: "badge", title: "wait in the lobby"}, `${waiting[name]} waiting`) : String(room ? room.participants.length : 0)));
      }));
  }

  head(room) {
    const card = this.parts.head;
    card.hidden = !this.chosen;
    redraw(card, [this.chosen, room && [room.locked, room.session_began, room.watching]], () => [
      h("header", {}, h("h2", {}, this.chosen),
        room ? h("span", {class: "quiet"}, "session since " + new Date(room.session_began / 1000).toLocaleString()) : h("span", {class: "quiet"}, "nobody is in it"),
        room && this.may ? h("button", {"aria-pressed": room.locked, title: "A locked room lets in moderators only",
          onclick: () => this.act(() => api.ask("PUT", `/rooms/${room.room}/lock`, {locked: !room.locked}))},
          room.locked ? "Unlock" : "Lock") : null),
      room && room.watching.length ? h("p", {class: "quiet"}, "Machines: " + room.watching.join(", ")) : ""].filter(Boolean));
  }

  lobby(asks) {
    redraw(this.parts.lobby, asks, () => asks.length === 0 ? [] : [h("div", {class: "card waiting"}, h("h3", {}, "Waiting to be let in"),
      h("div", {class: "people"}, asks.map(a => h("div", {class: "person"},
        h("div", {}, h("span", {class: "name"}, a.name), " ", h("span", {class: "quiet"}, `${a.role}, from ${a.address}, since ${new Date(a.since).toLocaleTimeString()}`)),
        h("div", {class: "actions"},
          h("button", {class: "primary", onclick: () => this.answer(a, true)}, "Admit"),
          h("button", {onclick: () => this.answer(a, false)}, "Refuse"))))))]);
  }

  answer(a, admit) { this.act(() => api.ask("POST", `/rooms/${a.room}/lobby/${a.id}`, {admit})); }

  people(room) {
    const card = this.parts.people;
    card.hidden = !room;
    if (!room) return;
    redraw(card, [room.participants.map(p => [p.id, p.muted, linkOf(room, p)]), room.tracks.map(t => [t.participant, t.name, t.muted, bits(t.bits)]), this.preview.shows], () => [
      h("h3", {}, "Participants"),
      h("div", {class: "people"}, room.participants.map(p => this.person(room, p)))]);
  }

  person(room, p) {
    const [level, words] = linkOf(room, p);
    const tracks = room.tracks.filter(t => t.participant === p.id);
    return h("div", {class: "person", "data-id": p.id},
      h("div", {}, h("span", {class: "name"}, p.name), " ", h("span", {class: "quiet"}, p.role)),
      this.may ? this.acts(room, p) : h("span"),
      h("div", {class: "link " + level}, words),
      h("div", {class: "tracks"}, tracks.map(t => this.track(room, t))));
  }

  acts(room, p) {
    const at = `/rooms/${room.room}/participants/${p.id}`;
    const mute = (kind, word) => h("button", {"aria-pressed": p.muted[kind],
      onclick: () => this.act(() => api.ask("PUT", at + "/mute", {audio: p.muted.audio, video: p.muted.video, [kind]: !p.muted[kind]}))},
      (p.muted[kind] ? "Unmute " : "Mute ") + word);
    return h("div", {class: "actions"}, mute("audio", "sound"), mute("video", "picture"),
      h("button", {class: "danger", onclick: () => confirm(`Remove ${p.name} from ${room.room}? Who comes with the same invitation waits to be admitted.`) &&
        this.act(() => api.ask("DELETE", at))}, "Remove"));
  }

  track(room, t) {
    const text = `${t.name} · ${t.codec.split("/")[1]} · ${t.muted ? "muted" : bits(t.bits)}`;
    if (t.kind !== "video") return h("span", {class: "quiet"}, text);
    return h("button", {"aria-pressed": this.preview.isOf(room.room, t), title: "Show the picture",
      onclick: () => this.act(() => this.preview.toggle(room.room, t))}, "▶ " + text);
  }
}

// linkOf says in words how a participant's link is, with a level for its colour.
function linkOf(room, p) {
  const order = Object.keys(rungs);
  const worst = p.link.rungs.map(r => r.rung).sort((a, b) => order.indexOf(b) - order.indexOf(a))[0];
  const figures = [];
  if (p.link.estimate > 0 && p.link.rungs.length) figures.push("link bears " + bits(p.link.estimate));
  if (p.link.loss >= 0.005) figures.push((100 * p.link.loss).toFixed(0) + " % lost");
  if (!worst) return ["quiet", "gets no picture"];
  const [level, words] = rungs[worst];
  return [level, [words, ...figures].join(" · ")];
}

// Preview shows one track live, by WHEP.
class Preview {
  constructor() {
    this.shows = "";
    this.video = h("video", {muted: true, autoplay: true, playsinline: true, id: "preview"});
    this.video.muted = true;
    this.state = h("p", {class: "quiet"}, "Choose a track with ▶ to see it live. You are then shown as a viewer in the room.");
    this.card = h("div", {class: "card"}, h("h3", {}, "Live picture"), this.video, this.state);
  }

  key(room, t) { return [room, t.participant, t.name].join(" "); }
  isOf(room, t) { return this.shows === this.key(room, t); }

  // update ends the preview when its track has gone.
  update(room) {
    this.card.hidden = !room;
    this.video.hidden = !this.shows;
    if (this.shows && !(room && room.tracks.some(t => this.isOf(room.room, t)))) this.stop();
  }

  async toggle(room, t) {
    const again = this.isOf(room, t);
    await this.stop();
    if (again) return;
    this.shows = this.key(room, t);
    const pc = new RTCPeerConnection({bundlePolicy: "max-bundle"});
    const media = new MediaStream();
    this.video.srcObject = media;
    this.video.hidden = false;
    pc.ontrack = e => media.addTrack(e.track);
    pc.addTransceiver("video", {direction: "recvonly"});
    const query = new URLSearchParams({participant: t.participant, track: t.name});
    this.session = new Session(`${location.origin}/whep/${room}?${query}`, api.token, pc, say => { this.state.textContent = say; });
    await this.session.open().catch(e => { this.state.textContent = e.message; });
  }

  async stop() {
    const session = this.session;
    this.session = null;
    this.shows = "";
    this.video.srcObject = null;
    this.video.hidden = true;
    this.state.textContent = "Choose a track with ▶ to see it live. You are then shown as a viewer in the room.";
    if (session) await session.close().catch(() => {});
  }
}
