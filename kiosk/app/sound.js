// What is heard: the recording of a question, which the next one, or the next screen, ends.

export class Sound {
  until = -Infinity; // when it is over, on the monotonic clock

  // volume is from 0 to 1.
  constructor(volume) { this.volume = volume; }

  // play plays what read resolves to, if that comes before the next screen.
  async play(read) {
    this.hush();
    const ticket = this.ticket = {};
    try {
      const body = await read();
      if (!body || this.ticket !== ticket) return;
      await this.#awake();
      const buffer = await this.audio.decodeAudioData(body);
      if (this.ticket === ticket) this.#start(buffer);
    } catch (e) {
      console.warn('the recording does not play:', e?.message); // the question is there
    }
  }

  // test plays a tone of a second, and throws where the browser plays nothing.
  async test() {
    this.hush();
    await this.#awake();
    const { sampleRate } = this.audio, buffer = this.audio.createBuffer(1, sampleRate, sampleRate);
    const samples = buffer.getChannelData(0);
    for (let i = 0; i < sampleRate; i++) samples[i] = Math.sin(i * 2 * Math.PI * 440 / sampleRate) * Math.min(1, i / 800, (sampleRate - i) / 800);
    this.#start(buffer);
  }

  async #awake() {
    this.audio ||= new AudioContext();
    await this.audio.resume();
  }

  #start(buffer) {
    const source = this.playing = this.audio.createBufferSource(), gain = this.audio.createGain();
    source.buffer = buffer;
    gain.gain.value = this.volume;
    source.connect(gain).connect(this.audio.destination);
    source.start();
    this.until = performance.now() + buffer.duration * 1000;
  }

  hush() {
    this.playing?.stop();
    this.ticket = this.playing = null;
    this.until = -Infinity;
  }
}
