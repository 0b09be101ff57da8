"use strict";
// Runs beside the sound card: hands over 100 ms of s16le at a time.

class Microphone extends AudioWorkletProcessor {
  constructor() {
    super();
    this.part = new Int16Array(Math.round(sampleRate / 10));
    this.filled = 0;
  }

  process([[samples]]) {
    for (const sample of samples || []) {
      const clipped = Math.max(-1, Math.min(1, sample));
      this.part[this.filled++] = Math.round(clipped * 32767);
      if (this.filled === this.part.length) {
        this.port.postMessage(this.part.slice());
        this.filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("microphone", Microphone);
