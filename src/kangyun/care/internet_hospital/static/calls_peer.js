// The connection to one other browser of the call. Only one of the two offers, so that offers never cross.
(() => {
  "use strict";
  const calls = (window.kangyunCalls ??= {});
  const PATIENCE = 2500;
  const WATCH = 3000;
  const TOO_LONG = 7000;

  class Peer {
    // about: peer, run; offers: whether this side makes the offers; means: ice() and say(body); told: stream and state changes
    constructor(about, offers, means, told) {
      Object.assign(this, { peer: about.peer, run: about.run, offers, means, told });
      this.tracks = { audio: null, video: null };
      this.candidates = [];
      this.tried = Date.now();
      this.stream = new MediaStream();
      const connection = (this.connection = new RTCPeerConnection(calls.configuration(means.ice())));
      connection.onicecandidate = ({ candidate }) => this.say({ candidate });
      connection.ontrack = ({ track }) => { this.stream.addTrack(track); told(this); };
      connection.onconnectionstatechange = () => this.changed();
      this.watch = setInterval(() => this.look(), WATCH);
      if (offers) {
        connection.addTransceiver("audio", { direction: "sendrecv" });
        connection.addTransceiver("video", { direction: "sendrecv" });
        this.offer();
      }
    }

    get connected() { return this.connection.connectionState === "connected"; }

    say(body) { this.means.say({ to: this.peer, run: this.means.run, of: this.run, ...body }); }

    // Everything about this connection happens in order, one step after the other.
    step(work) {
      this.last = (this.last ?? Promise.resolve()).then(() => this.connection.signalingState === "closed" || work()).catch(() => this.fail());
      return this.last;
    }

    fail() { this.tried = 0; }

    offer(restart = false) {
      this.tried = Date.now();
      return this.step(async () => {
        if (restart) this.connection.setConfiguration(calls.configuration(this.means.ice()));
        await this.connection.setLocalDescription(await this.connection.createOffer({ iceRestart: restart }));
        await this.attach();
        this.say({ description: this.connection.localDescription });
      });
    }

    restart() {
      if (Date.now() - this.tried < PATIENCE) return;
      this.tried = Date.now();
      if (this.offers) this.offer(true);
      else this.say({ restart: true });
    }

    hear(body) {
      if (body.restart) return this.offers ? this.restart() : undefined;
      if (body.description) return this.step(() => this.described(body.description));
      if (body.candidate !== undefined) return this.step(() => this.candidate(body.candidate));
    }

    async described(description) {
      if (description.type === "answer" && this.connection.signalingState !== "have-local-offer") return;
      await this.connection.setRemoteDescription(description);
      for (const candidate of this.candidates.splice(0)) await this.candidate(candidate);
      if (description.type !== "offer") return;
      this.connection.getTransceivers().forEach((one) => { one.direction = "sendrecv"; });
      await this.attach();
      await this.connection.setLocalDescription();
      this.say({ description: this.connection.localDescription });
    }

    async candidate(candidate) {
      if (!this.connection.remoteDescription) this.candidates.push(candidate);
      else await this.connection.addIceCandidate(candidate ?? undefined).catch(() => {});
    }

    sender(kind) { return this.connection.getTransceivers().find((one) => one.receiver.track.kind === kind)?.sender; }

    send(tracks, level) {
      this.tracks = tracks;
      this.level = level;
      return this.step(() => this.attach());
    }

    async attach() {
      for (const kind of ["audio", "video"]) {
        const sender = this.sender(kind);
        if (sender && sender.track !== this.tracks[kind]) await sender.replaceTrack(this.tracks[kind]);
      }
      await this.bound();
    }

    // Send no more than the level allows.
    async bound() {
      const sender = this.sender("video");
      if (!sender || !this.level?.height || !this.tracks.video) return;
      const parameters = sender.getParameters();
      if (!parameters.encodings?.length) return;
      const height = this.tracks.video.getSettings().height ?? 480;
      Object.assign(parameters.encodings[0], {
        maxBitrate: this.level.kbps * 1000, maxFramerate: this.level.fps, scaleResolutionDownBy: Math.max(1, height / this.level.height),
      });
      await sender.setParameters(parameters).catch(() => {});
    }

    changed() {
      const state = this.connection.connectionState;
      if (state === "failed") this.restart();
      if (state === "disconnected") setTimeout(() => !this.connected && this.restart(), PATIENCE);
      this.told(this);
    }

    // What got lost on the way is tried again, as long as the other is in the call.
    look() {
      if (!this.connected && Date.now() - this.tried > TOO_LONG) this.restart();
    }

    async sample() {
      const found = { lost: null, kbps: null, ms: null };
      if (!this.connected) return { lost: 1, kbps: null, ms: null };
      (await this.connection.getStats()).forEach((one) => {
        if (one.type === "remote-inbound-rtp") {
          found.lost = Math.max(found.lost ?? 0, one.fractionLost ?? 0);
          if (one.roundTripTime !== undefined) found.ms = one.roundTripTime * 1000;
        }
        if (one.type === "candidate-pair" && one.nominated && this.tracks.video && one.availableOutgoingBitrate) {
          found.kbps = one.availableOutgoingBitrate / 1000;
        }
      });
      return found;
    }

    close() {
      clearInterval(this.watch);
      this.connection.onconnectionstatechange = null;
      this.connection.close();
    }
  }

  calls.Peer = Peer;
})();
