// The recording of a call, made in the doctor's browser and sent in parts; the server takes parts only while everybody agrees.
(() => {
  "use strict";
  const calls = (window.kangyunCalls ??= {});
  const KIND = "video/webm;codecs=vp8,opus";
  const WIDTH = 640;
  const HEIGHT = 360;
  const PART = 2000;
  const FRAME = 1000 / 12;

  class Recorder {
    constructor(id, address, videos) {
      Object.assign(this, { id, address, videos, number: 0, going: true });
      this.canvas = Object.assign(document.createElement("canvas"), { width: WIDTH, height: HEIGHT });
      this.paint = this.canvas.getContext("2d");
      this.sound = new AudioContext();
      this.mixed = this.sound.createMediaStreamDestination();
      this.heard = new Map();
      this.timer = setInterval(() => this.draw(), FRAME);
      const stream = this.canvas.captureStream(12);
      this.mixed.stream.getAudioTracks().forEach((track) => stream.addTrack(track));
      this.recorder = new MediaRecorder(stream, { mimeType: KIND, videoBitsPerSecond: 400_000, audioBitsPerSecond: 32_000 });
      this.sending = Promise.resolve();
      this.recorder.ondataavailable = ({ data }) => { if (data.size) this.sending = this.sending.then(() => this.send(data)); };
      this.recorder.start(PART);
    }

    draw() {
      const shown = this.videos();
      const columns = Math.ceil(Math.sqrt(shown.length)) || 1;
      const rows = Math.ceil(shown.length / columns) || 1;
      this.paint.fillRect(0, 0, WIDTH, HEIGHT);
      shown.forEach((video, at) => {
        this.hear(video);
        const [width, height] = [WIDTH / columns, HEIGHT / rows];
        const scale = Math.min(width / (video.videoWidth || width), height / (video.videoHeight || height));
        const [w, h] = [(video.videoWidth || 0) * scale, (video.videoHeight || 0) * scale];
        this.paint.drawImage(video, (at % columns) * width + (width - w) / 2, Math.floor(at / columns) * height + (height - h) / 2, w, h);
      });
    }

    hear(video) {
      const track = video.srcObject?.getAudioTracks()[0];
      if (!track || this.heard.has(track.id)) return;
      this.heard.set(track.id, this.sound.createMediaStreamSource(new MediaStream([track])));
      this.heard.get(track.id).connect(this.mixed);
    }

    async send(data) {
      if (!this.going) return;
      const headers = { "content-type": "video/webm", "x-csrf-token": document.querySelector('meta[name="csrf"]').content };
      const address = `${this.address}/${this.id}/${this.number++}`;
      for (const pause of [0, 1000, 3000]) {
        await new Promise((done) => setTimeout(done, pause));
        try {
          const answer = await fetch(address, { method: "POST", headers, body: data });
          if (answer.status < 500) {
            if (!answer.ok) this.stop();
            return;
          }
        } catch {
          // The network is away for a moment.
        }
      }
    }

    stop() {
      if (!this.going) return;
      this.going = false;
      clearInterval(this.timer);
      if (this.recorder.state !== "inactive") this.recorder.stop();
      this.sound.close();
    }
  }

  calls.Recorder = Recorder;
})();
