// The recording of a question. The next one, or the next screen, ends it.

export class Sound {
  until = -Infinity; // when it is over, on the monotonic clock

  // play plays what read resolves to, if that comes before the next screen.
  async play(read) {
    this.hush();
    const ticket = this.ticket = {};
    try {
      const body = await read();
      if (!body || this.ticket !== ticket) return;
      this.audio ||= new AudioContext();
      await this.audio.resume();
      const buffer = await this.audio.decodeAudioData(body);
      if (this.ticket !== ticket) return;
      const source = this.playing = this.audio.createBufferSource();
      source.buffer = buffer;
      source.connect(this.audio.destination);
      source.start();
      this.until = performance.now() + buffer.duration * 1000;
    } catch (e) {
      console.warn('the recording does not play:', e?.message); // the question is there
    }
  }

  hush() {
    this.playing?.stop();
    this.ticket = this.playing = null;
    this.until = -Infinity;
  }
}
