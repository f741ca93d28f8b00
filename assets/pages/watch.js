"use strict";
// Shows a camera of the room by WHEP; ?participant= and ?track= say whose and which, ?scale=0.25 that a picture of a
// quarter of the size will do.
const token = location.hash.slice(1);
const state = document.getElementById("state");
const picture = document.getElementById("picture");
const say = text => { state.textContent = text; };
let session;

async function begin() {
  const grant = grantOf(token);
  document.getElementById("room").textContent = grant.room;
  await keep(() => {
    const pc = new RTCPeerConnection({bundlePolicy: "max-bundle"});
    const media = new MediaStream();
    picture.srcObject = media;
    pc.ontrack = e => media.addTrack(e.track);
    pc.addTransceiver("video", {direction: "recvonly"});
    pc.addTransceiver("audio", {direction: "recvonly"});
    session = new Session(`${location.origin}/whep/${grant.room}${location.search}`, token, pc, say);
    return session;
  }, () => {});
}

const sound = document.getElementById("sound");
sound.onclick = () => {
  picture.muted = !picture.muted;
  sound.textContent = picture.muted ? "Sound on" : "Sound off";
};
begin().catch(e => say("error: " + e.message));
