"use strict";
// The demo page: joins a fresh room, shows the avatar, sends typed lines, writes down what is said.

(() => {
  const { Room, RoomEvent, Track, ConnectionState } = window.LivekitClient;
  const CHAT = "lk.chat";
  const TRANSCRIPTION = "lk.transcription";
  const AGENT_STATE = "lk.agent.state";
  const ON_BEHALF = "lk.publish_on_behalf";
  const MAX_LINES = 200;
  const PATIENCE_MS = 20_000;
  // LiveKit may lose what calls the agent: an empty room is left for another one, twice.
  const EMPTY_MS = 8_000;
  const OTHER_ROOMS = 2;

  const SENTENCES = {
    connecting: "Connecting …",
    initializing: "Getting ready …",
    idle: "Listening",
    listening: "Listening",
    thinking: "Thinking …",
    speaking: "Speaking – type to interrupt",
    reconnecting: "Reconnecting …",
  };

  const element = (id) => document.getElementById(id);
  const stage = document.querySelector(".stage");
  const video = element("video");
  const transcript = element("transcript");
  const input = element("text");

  function showStatus(state, sentence) {
    const status = element("status");
    status.dataset.state = state;
    status.textContent = sentence || SENTENCES[state] || state;
  }

  function addLine(who, className) {
    const nearEnd = transcript.scrollHeight - transcript.scrollTop - transcript.clientHeight < 60;
    const line = document.createElement("li");
    line.className = className;
    const name = document.createElement("span");
    name.className = "who";
    name.textContent = who;
    const words = document.createElement("span");
    words.className = "words";
    line.append(name, words);
    transcript.append(line);
    while (transcript.children.length > MAX_LINES) transcript.firstChild.remove();
    if (nearEnd) transcript.scrollTop = transcript.scrollHeight;
    return (text) => {
      words.textContent += text;
      transcript.scrollTop = transcript.scrollHeight;
    };
  }

  async function readSpeech(reader) {
    let write = null;
    try {
      for await (const part of reader) {
        if (!part) continue;
        write = write || addLine("Avatar", "theirs");
        write(part);
      }
    } catch {
      if (write) write(" …"); // the agent left in the middle of a sentence
    }
  }

  async function openRoom() {
    const csrf = document.querySelector('meta[name="csrf"]').content;
    const answer = await fetch("/demo/token", {
      method: "POST",
      headers: { "X-CSRF-Token": csrf },
    });
    const body = await answer.json();
    if (!answer.ok) throw new Error(body.error || "The room could not be opened.");
    return body;
  }

  function showTrack(track) {
    if (track.kind === Track.Kind.Video) {
      track.attach(video);
      video.addEventListener("playing", () => stage.classList.add("live"), { once: true });
    } else {
      element("audio").append(track.attach());
    }
  }

  function hideTrack(track) {
    if (track.kind === Track.Kind.Video) {
      track.detach();
      stage.classList.remove("live");
    } else {
      track.detach().forEach((tag) => tag.remove());
    }
  }

  const isAgent = (participant) => participant.isAgent && !participant.attributes[ON_BEHALF];
  const hasAgent = (room) => [...room.remoteParticipants.values()].some(isAgent);

  function follow(room) {
    const showAgentState = (participant) => {
      const state = isAgent(participant) && participant.attributes[AGENT_STATE];
      if (state) showStatus(state);
    };

    const canTalk = () => {
      const ready = hasAgent(room);
      input.disabled = !ready;
      element("send").disabled = !ready;
    };

    room
      .on(RoomEvent.TrackSubscribed, showTrack)
      .on(RoomEvent.TrackUnsubscribed, hideTrack)
      .on(RoomEvent.ParticipantAttributesChanged, (_, participant) => {
        showAgentState(participant);
        canTalk();
      })
      .on(RoomEvent.ParticipantConnected, (participant) => {
        showAgentState(participant);
        canTalk();
      })
      .on(RoomEvent.ParticipantDisconnected, canTalk)
      .on(RoomEvent.AudioPlaybackStatusChanged, () => {
        element("sound").hidden = room.canPlaybackAudio;
      })
      .on(RoomEvent.Reconnecting, () => showStatus("reconnecting"))
      .on(RoomEvent.Reconnected, () => room.remoteParticipants.forEach(showAgentState))
      .on(RoomEvent.Disconnected, () => {
        canTalk();
        showStatus("error", "The conversation has ended. Reload the page to start again.");
      });
    room.registerTextStreamHandler(TRANSCRIPTION, readSpeech);
    return () => {
      room.remoteParticipants.forEach(showAgentState);
      canTalk();
    };
  }

  let current = null; // the room, and the ticket that closes it

  function leave() {
    if (!current) return;
    current.room.removeAllListeners();
    navigator.sendBeacon("/demo/leave", current.ticket);
    current.room.disconnect();
    current = null;
  }

  async function enter(otherRooms) {
    showStatus("connecting");
    const { url, token, leave: ticket } = await openRoom();
    const room = new Room();
    const refresh = follow(room);
    current = { room, ticket };
    await room.connect(url, token).catch((error) => {
      console.warn(error);
      throw new Error("The LiveKit server cannot be reached.");
    });
    showStatus("initializing");
    refresh();
    element("sound").hidden = room.canPlaybackAudio;
    const stays = () => current && current.room === room;
    setTimeout(() => {
      if (!stays() || hasAgent(room) || !otherRooms) return;
      leave();
      enter(otherRooms - 1).catch(showFailure);
    }, EMPTY_MS);
    setTimeout(() => {
      if (!stays() || stage.classList.contains("live")) return;
      showStatus("error", "No avatar has come. Look at the worker's and the agent's output.");
    }, PATIENCE_MS);
  }

  function showFailure(error) {
    showStatus("error", `${error.message} Reload the page to try again.`);
  }

  element("sound").addEventListener("click", () => current && current.room.startAudio());

  element("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text || !current || current.room.state !== ConnectionState.Connected) return;
    const { room } = current;
    input.value = "";
    if (!room.canPlaybackAudio) room.startAudio().catch(() => {});
    addLine("You", "mine")(text);
    await room.localParticipant.sendText(text, { topic: CHAT });
  });

  window.addEventListener("pagehide", () => {
    if (current) navigator.sendBeacon("/demo/leave", current.ticket);
  });

  enter(OTHER_ROOMS).catch(showFailure);
})();
