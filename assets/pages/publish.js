"use strict";
// Sends this device's camera and microphone by WHIP. ?codec=video/VP9 chooses the codec; ?layers=1 sends the picture
// in one size only, as AV1 and VP9 are: the others go out whole, at half and at a quarter of the size. Each has two temporal
// layers, so that half of the pictures can be left out for who has a narrow link; ?temporal=L1T3 has three.
const token = location.hash.slice(1);
const query = new URLSearchParams(location.search);
const state = document.getElementById("state");
const say = text => { state.textContent = text; };
let session;

function sizes(codec) {
  const scalabilityMode = query.get("temporal") || "L1T2";
  if (query.get("layers") === "1" || /VP9|AV1/.test(codec)) return [{scalabilityMode}];
  return [{rid: "f", scalabilityMode}, {rid: "h", scaleResolutionDownBy: 2, scalabilityMode},
    {rid: "q", scaleResolutionDownBy: 4, scalabilityMode}];
}

// describe has the browser say what each frame needs: of AV1 the relay cannot read it from the picture. The others say it
// there, and are left alone.
function describe(t) {
  if (!t.setHeaderExtensionsToNegotiate) return;
  const all = t.getHeaderExtensionsToNegotiate();
  for (const e of all) if (e.uri.includes("dependency-descriptor")) e.direction = "sendrecv";
  t.setHeaderExtensionsToNegotiate(all);
}

async function begin() {
  const grant = grantOf(token);
  document.getElementById("room").textContent = `${grant.room}: ${grant.name}`;
  const media = await navigator.mediaDevices.getUserMedia({
    video: {width: {ideal: 1280}, height: {ideal: 720}, facingMode: "environment"}, audio: true});
  document.getElementById("own").srcObject = media;
  await keep(() => {
    const pc = new RTCPeerConnection({bundlePolicy: "max-bundle"});
    for (const track of media.getTracks()) {
      const t = pc.addTransceiver(track, {direction: "sendonly", streams: [media],
        sendEncodings: track.kind === "video" ? sizes(query.get("codec")) : undefined});
      if (track.kind === "video") {
        prefer(t, query.get("codec"));
        if (/AV1/.test(query.get("codec"))) describe(t);
      }
    }
    session = new Session(`${location.origin}/whip/${grant.room}`, token, pc, say);
    return session;
  }, shows);
}

// shows whether this device is recorded, and asks where the room wants an answer.
function shows() {
  const sign = document.getElementById("recording"), asks = session.recording.startsWith("withheld");
  sign.textContent = session.recording === "recorded" ? "● recorded" : asks ? "This call is recorded. May you be recorded?" : "";
  for (const id of ["agree", "refuse"]) document.getElementById(id).hidden = !asks;
}

for (const [id, state] of [["agree", "given"], ["refuse", "refused"]]) {
  document.getElementById(id).onclick = () => session.consent(state).then(() => {
    shows();
    if (state === "refused") {
      document.getElementById("recording").textContent = "You are not recorded";
      document.getElementById("refuse").hidden = true;
    }
  }).catch(e => say("error: " + e.message));
}

document.getElementById("end").onclick = () => session && session.close().then(() => say("ended"));
begin().catch(e => say("error: " + e.message));
