"use strict";
// What all parts of the console share: the REST API, and the making of elements. Nothing that comes from the relay is
// ever taken for HTML.

const api = {
  token: "",

  // ask sends a request. It throws what the relay says in words; .status is the answer's.
  async ask(method, path, body) {
    const r = await fetch("api/v1" + path, {method, headers: {Authorization: "Bearer " + this.token, "Sightline-Page": "console",
      ...(body ? {"Content-Type": "application/json"} : {})}, body: body && JSON.stringify(body)});
    if (r.status === 204) return null;
    const answer = await r.json().catch(() => ({detail: r.statusText}));
    if (!r.ok) throw Object.assign(new Error(answer.detail || r.statusText), {status: r.status});
    return answer;
  },
  // save takes a file away. A browser that can writes it to the disk as it comes; another keeps it in memory until all
  // of it is there.
  async save(path, name) {
    const to = window.showSaveFilePicker ? await (await window.showSaveFilePicker({suggestedName: name})).createWritable() : null;
    const r = await fetch("api/v1" + path, {headers: {Authorization: "Bearer " + this.token, "Sightline-Page": "console"}});
    if (!r.ok) throw new Error((await r.json().catch(() => ({}))).detail || r.statusText);
    if (to) return r.body.pipeTo(to);
    const url = URL.createObjectURL(await r.blob());
    h("a", {href: url, download: name}).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
    return null;
  },
  get(path) { return this.ask("GET", path); },
};

// h makes an element: h("button", {onclick, class: "danger"}, "Remove"). A property of null is left out.
function h(tag, properties, ...children) {
  const e = document.createElement(tag);
  for (const [key, value] of Object.entries(properties || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) e.addEventListener(key.slice(2), value);
    else e.setAttribute(key, value === true && !key.startsWith("aria-") ? "" : value);
  }
  e.append(...children.flat().filter(c => c !== null && c !== undefined && c !== ""));
  return e;
}

// redraw puts new contents into an element, unless they are what it shows already: a button that is being pressed or
// has the focus stays.
function redraw(e, key, make) {
  const text = JSON.stringify(key);
  if (e.shownKey === text) return;
  e.shownKey = text;
  e.replaceChildren(...[make()].flat());
}

function table(heads, rows, none) {
  if (rows.length === 0) return h("p", {class: "quiet"}, none);
  return h("div", {class: "table"}, h("table", {}, h("thead", {}, h("tr", {}, heads.map(t => h("th", {}, t)))),
    h("tbody", {}, rows.map(cells => h("tr", {}, cells.map(c => c instanceof Element && c.tagName === "TD" ? c : h("td", {}, c)))))));
}

function time(text) {
  const t = new Date(text);
  return h("td", {class: "time", title: t.toISOString()}, t.toLocaleString());
}

function bits(n) {
  if (n >= 1e6) return (n / 1e6).toFixed(1) + " Mbit/s";
  return Math.round(n / 1e3) + " kbit/s";
}

function bytes(n) {
  for (const [unit, size] of [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]]) if (n >= size) return (n / size).toFixed(1) + " " + unit;
  return n + " B";
}
