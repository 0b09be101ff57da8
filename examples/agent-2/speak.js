"use strict";
// Sends a file or the microphone to an avatar. The protocol is in docs/protocol.md.

(() => {
  const { Room, RoomEvent, Track } = window.LivekitClient;
  const RATE = 24000;
  const CHUNK = RATE / 10;

  const element = (id) => document.getElementById(id);
  const room = new Room();
  let avatar = "";
  let live = null; // what the microphone holds while it is open

  const show = (sentence) => { element("status").textContent = sentence; };

  function avatarIsSeen() {
    const participant = room.remoteParticipants.get(avatar);
    return [...(participant?.trackPublications.values() || [])].some((p) => p.kind === Track.Kind.Video);
  }

  async function join() {
    avatar = element("avatar").value;
    show("Joining …");
    await room.connect(element("url").value, element("token").value);
    room.registerRpcMethod("lk.playback_started", async () => { show("Started"); return "ok"; });
    room.registerRpcMethod("lk.playback_finished", async (call) => {
      const end = JSON.parse(call.payload);
      show(`${end.interrupted ? "Interrupted" : "Finished"} at ${end.playback_position.toFixed(2)} s`);
      return "ok";
    });
    ready();
  }

  // What is sent before the avatar shows its picture is lost.
  function ready() {
    const here = avatarIsSeen();
    for (const id of ["file", "microphone", "interrupt"]) element(id).disabled = !here;
    show(here ? "Ready" : "Waiting for the avatar …");
  }

  room.on(RoomEvent.TrackPublished, (_, participant) => { if (participant.identity === avatar) ready(); });
  room.on(RoomEvent.ParticipantDisconnected, (participant) => { if (participant.identity === avatar) ready(); });
  room.on(RoomEvent.DataReceived, (payload, participant, _, topic) => {
    if (topic !== "avaluma.error" || participant?.identity !== avatar) return;
    show(`Refused: ${JSON.parse(new TextDecoder().decode(payload)).error}`);
  });
  room.on(RoomEvent.TrackSubscribed, (track, _, participant) => {
    if (participant.identity !== avatar) return;
    if (track.kind === Track.Kind.Video) track.attach(element("video"));
    else element("audio").append(track.attach());
  });

  function open(rate) {
    return room.localParticipant.streamBytes({
      name: "AUDIO_browser",
      topic: "lk.audio_stream",
      destinationIdentities: [avatar],
      attributes: { sample_rate: String(rate), num_channels: "1" },
    });
  }

  const bytes = (pcm) => new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength);

  async function speakFile(file) {
    const decoded = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(await file.arrayBuffer());
    const mono = new Float32Array(decoded.length);
    for (let channel = 0; channel < decoded.numberOfChannels; channel++) {
      decoded.getChannelData(channel).forEach((x, i) => { mono[i] += x / decoded.numberOfChannels; });
    }
    const pcm = Int16Array.from(mono, (x) => Math.round(Math.max(-1, Math.min(1, x)) * 32767));
    const writer = await open(RATE);
    for (let at = 0; at < pcm.length; at += CHUNK) await writer.write(bytes(pcm.subarray(at, at + CHUNK)));
    await writer.close();
  }

  async function openMicrophone() {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true } });
    const context = new AudioContext({ sampleRate: RATE });
    await context.audioWorklet.addModule("microphone.js");
    const writer = await open(RATE);
    const node = new AudioWorkletNode(context, "microphone", { channelCount: 1, channelCountMode: "explicit" });
    let sent = Promise.resolve();
    node.port.onmessage = ({ data }) => { sent = sent.then(() => writer.write(bytes(data))); };
    context.createMediaStreamSource(stream).connect(node);
    return async () => {
      node.port.onmessage = null;
      stream.getTracks().forEach((track) => track.stop());
      await context.close();
      await sent;
      await writer.close();
    };
  }

  async function toggleMicrophone() {
    const button = element("microphone");
    button.disabled = true;
    try {
      if (live) await live();
      live = live ? null : await openMicrophone();
    } finally {
      button.disabled = false;
      button.setAttribute("aria-pressed", String(Boolean(live)));
    }
  }

  async function interrupt() {
    if (live) await toggleMicrophone();
    await room.localParticipant.performRpc({
      destinationIdentity: avatar, method: "lk.clear_buffer", payload: "",
    });
  }

  const guarded = (work) => (...given) => work(...given).catch((error) => show(`Failed: ${error.message}`));

  element("join").addEventListener("submit", (event) => { event.preventDefault(); guarded(join)(); });
  element("file").addEventListener("change", ({ target }) => { if (target.files[0]) guarded(speakFile)(target.files[0]); });
  element("microphone").addEventListener("click", guarded(toggleMicrophone));
  element("interrupt").addEventListener("click", guarded(interrupt));

  const given = new URLSearchParams(location.hash.slice(1));
  for (const id of ["url", "token", "avatar"]) if (given.has(id)) element(id).value = given.get(id);
})();
