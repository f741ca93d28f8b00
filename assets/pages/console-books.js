"use strict";
// Invitations, recordings and the audit log.

class Invitations {
  constructor(me, act) {
    this.act = act;
    this.made = h("p", {class: "link-made", hidden: true});
    this.rows = h("div");
    const rights = ["publish", "draw", "record", "moderate"].filter(r => ["publish", "draw"].includes(r) || me.rights.includes(r));
    this.form = h("form", {class: "line", onsubmit: e => { e.preventDefault(); this.make(); }},
      h("label", {}, "Room", h("input", {name: "room", required: true, pattern: "[A-Za-z0-9_\\-]{1,64}", value: me.room === "*" ? null : me.room, readonly: me.room !== "*"})),
      h("label", {}, "Name", h("input", {name: "name", required: true, maxlength: 100})),
      h("label", {}, "Role", h("select", {name: "role"}, ["field", "expert", "viewer"].map(r => h("option", {}, r)))),
      h("label", {}, "Good for", h("select", {name: "expires_in"}, [["an hour", 3600], ["12 hours", 43200], ["a week", 604800]].map(([text, s]) =>
        h("option", {value: s, selected: s === 43200}, text)))),
      rights.map(r => h("label", {class: "check"}, h("input", {type: "checkbox", name: "rights", value: r, checked: ["publish", "draw"].includes(r)}), r)),
      h("button", {class: "primary"}, "Invite"));
    document.getElementById("invitations").append(
      h("div", {class: "card"}, h("h3", {}, "Invite somebody"), this.form, this.made), h("div", {class: "card"}, h("h3", {}, "Invitations"), this.rows));
  }

  make() {
    const f = new FormData(this.form);
    this.act(async () => {
      const {link} = await api.ask("POST", "/invitations", {room: f.get("room"), name: f.get("name"), role: f.get("role"),
        rights: f.getAll("rights"), expires_in: Number(f.get("expires_in"))});
      this.made.hidden = false;
      this.made.replaceChildren("The link, shown this once: ", h("code", {}, link), " ",
        h("button", {type: "button", onclick: () => navigator.clipboard.writeText(link)}, "Copy"));
    });
  }

  async refresh() {
    const {invitations} = await api.get("/invitations");
    redraw(this.rows, invitations, () => table(["Room", "Name", "Role", "Rights", "Until", "By", ""], invitations.map(i => [
      i.room, i.name, i.role, i.rights.join(", "), time(i.expires), i.by,
      i.withdrawn ? h("span", {class: "quiet"}, "withdrawn by " + i.withdrawn_by)
        : h("button", {class: "danger", onclick: () => confirm(`Withdraw the invitation of ${i.name}? Who uses it is sent away.`) &&
          this.act(() => api.ask("DELETE", "/invitations/" + encodeURIComponent(i.id)))}, "Withdraw")]), "There are no invitations."));
  }
}

class Recordings {
  constructor() {
    this.rows = h("div", {class: "card"});
    document.getElementById("recordings").append(this.rows);
  }

  async refresh() {
    const {recordings} = await api.get("/recordings");
    recordings.sort((a, b) => b.began.localeCompare(a.began));
    redraw(this.rows, recordings, () => table(["Room", "Recording", "Began", "Size", ""], recordings.map(r => [
      r.room, r.name, time(r.began), h("td", {class: "number"}, bytes(r.bytes)),
      r.closed ? h("span", {class: "good"}, "closed") : h("span", {class: "warn"}, "open")]), "Nothing was recorded yet."));
  }
}

class AuditLog {
  constructor() {
    this.room = h("input", {placeholder: "all rooms", "aria-label": "Room", onchange: () => this.refresh()});
    this.rows = h("div");
    document.getElementById("audit").append(h("div", {class: "card"}, h("header", {}, h("h3", {}, "Who did what"), this.room), this.rows));
  }

  async refresh() {
    const {events} = await api.get("/audit?last=200" + (this.room.value ? "&room=" + encodeURIComponent(this.room.value) : ""));
    redraw(this.rows, events, () => table(["Time", "What", "Room", "Who", "By", "From", "Detail"], events.map(e => [
      time(e.time), e.what, e.room || "", e.name ? `${e.name}${e.role ? ` (${e.role})` : ""}` : "", [e.actor, e.by].filter(Boolean).join(", "),
      e.address || "", [e.reason, e.detail].filter(Boolean).join("; ")]), "Nothing yet."));
  }
}
