"use strict";
// Invitations, recordings and the audit log.

class Invitations {
  constructor(me, act) {
    this.act = act;
    this.made = h("p", {class: "link-made", hidden: true});
    this.rows = h("div");
    const rights = ["publish", "draw", "record", "play", "export", "hold", "delete", "moderate"].filter(r => ["publish", "draw"].includes(r) || me.rights.includes(r));
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
  constructor(me, act) {
    this.me = me;
    this.act = act;
    this.verdicts = {}; // by case
    this.rows = h("div", {class: "card"});
    document.getElementById("recordings").append(this.rows);
  }

  async refresh() {
    const {cases} = await api.get("/cases");
    cases.sort((a, b) => b.began.localeCompare(a.began));
    redraw(this.rows, [cases, this.verdicts], () => table(["Room", "Case", "Began", "Length", "Size", "State", "Verdict", ""], cases.map(c => [
      c.room, h("td", {}, c.id, c.standby ? h("span", {class: "quiet"}, " second recorder") : ""), time(c.began),
      h("td", {class: "number"}, c.seconds ? Math.round(c.seconds) + " s" : ""), h("td", {class: "number"}, bytes(c.bytes)),
      h("td", {}, h("span", {class: c.state === "recording" || c.state === "unreadable" ? "warn" : ""}, c.fault ? c.state + ": " + c.fault : c.state), c.hold ? h("span", {class: "quiet", title: c.hold.why}, " held by " + c.hold.who) : ""),
      this.verdict(c), h("td", {}, this.buttons(c))]), "Nothing was recorded yet."));
  }

  // verdict shows what is proven of a case, or offers to prove it.
  verdict(c) {
    const v = this.verdicts[c.id];
    if (v) return h("td", {class: v.proven ? "good" : "warn", title: v.remarks.join("\n")}, v.proven ? "proven" : v.faults.map(f => `${f.kind}: ${f.place}: ${f.text}`).join("; "));
    if (c.state !== "closed" || !this.may("play")) return h("td", {});
    return h("td", {}, h("button", {onclick: () => this.act(async () => { this.verdicts[c.id] = await api.get(this.path(c) + "/verdict"); })}, "Prove"));
  }

  buttons(c) {
    const path = this.path(c), why = text => prompt(text);
    const change = (method, at, text) => () => { const w = why(text); if (w) this.act(() => api.ask(method, at, {why: w})); };
    return [
      c.state === "closed" && this.may("export") && h("button", {onclick: () => this.act(() => api.save(path + "/export", `${c.room}-${c.id}.zip`))}, "Download"),
      c.state !== "deleted" && this.may("hold") && (c.hold ? h("button", {onclick: () => this.act(() => api.ask("DELETE", path + "/hold"))}, "Release")
        : h("button", {onclick: change("PUT", path + "/hold", "Why must this recording be kept?")}, "Hold")),
      c.state === "closed" && !c.hold && this.may("delete") && h("button", {class: "danger", onclick: change("DELETE", path, "Why is this recording deleted?")}, "Delete"),
    ].filter(Boolean);
  }

  may(right) { return this.me.rights.includes(right); }
  path(c) { return "/cases/" + encodeURIComponent(c.id); }
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
