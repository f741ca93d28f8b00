"use strict";
// The console: signing in, its tabs, and what refreshes them.

const refreshEvery = 2000; // ms
const $ = id => document.getElementById(id);
const state = text => { $("state").textContent = text; };

let tabs = []; // {name, section, part}
let current = null;
let timer = 0;

// begin signs in with what the address brings (#token, from signing in elsewhere) or what this tab had before.
async function begin() {
  const brought = location.hash.slice(1);
  if (brought) history.replaceState(null, "", location.pathname);
  api.token = brought || sessionStorage.getItem("sightline-token") || "";
  fetch("signin/offered").then(r => { $("oidc").hidden = !r.ok; }).catch(() => {});
  if (!api.token || !await enter()) $("signin").hidden = false;
}

// enter opens the console for the token, where the relay takes it.
async function enter() {
  let me;
  try {
    me = await api.get("/me");
  } catch (e) {
    $("refused").textContent = e.message;
    sessionStorage.removeItem("sightline-token");
    return false;
  }
  sessionStorage.setItem("sightline-token", api.token);
  $("signin").hidden = true;
  $("app").hidden = false;
  $("who").textContent = me.name + (me.room === "*" ? "" : ", room " + me.room);
  add("rooms", new Rooms(me, act));
  if (me.rights.includes("moderate")) add("invitations", new Invitations(me, act));
  if (me.rights.includes("record")) add("recordings", new Recordings(me, act));
  if (me.rights.includes("audit")) add("audit", new AuditLog());
  show(tabs[0]);
  return true;
}

function add(id, part) {
  const tab = {section: $(id), part};
  tab.button = h("button", {role: "tab", onclick: () => show(tab)}, $(id).dataset.tab);
  tabs.push(tab);
  $("tabs").append(tab.button);
}

function show(tab) {
  current = tab;
  for (const t of tabs) {
    t.section.hidden = t !== tab;
    t.button.setAttribute("aria-selected", t === tab);
  }
  refresh();
}

async function refresh() {
  clearTimeout(timer);
  const tab = current;
  try {
    await tab.part.refresh();
    state("");
  } catch (e) {
    if (e.status === 401) return signOut(e.message);
    state(e.status ? e.message : "The relay does not answer; trying again.");
  }
  if (tab === current) {
    clearTimeout(timer);
    timer = setTimeout(refresh, refreshEvery);
  }
}

// act does something at the relay, and shows at once what came of it.
async function act(what) {
  try {
    await what();
    await refresh();
  } catch (e) {
    state(e.message);
  }
}

function signOut(why) {
  sessionStorage.removeItem("sightline-token");
  if (why) sessionStorage.setItem("sightline-refused", why);
  location.reload();
}

$("signin").onsubmit = async e => {
  e.preventDefault();
  api.token = $("token").value.trim();
  await enter();
};
$("signout").onclick = () => signOut("");
$("refused").textContent = sessionStorage.getItem("sightline-refused") || "";
sessionStorage.removeItem("sightline-refused");
begin();
