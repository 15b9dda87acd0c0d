// The room of a call: from trying the devices to hanging up.
(() => {
  "use strict";
  const calls = (window.kangyunCalls ??= {});
  const SAMPLING = 2000;
  const ORDER = ["video", "low", "audio", "text"];
  const here = (one) => one.here && !one.silent;
  const returned = (was, now) => was && (!here(was) || was.run !== now.run);

  class Room {
    constructor(root) {
      this.view = new calls.View(root);
      this.data = root.dataset;
      this.levels = JSON.parse(this.data.levels);
      this.ice = JSON.parse(this.data.ice);
      this.media = { audio: { track: null, state: "off" }, video: { track: null, state: "off" } };
      this.peers = new Map();
      this.declined = false;
      root.addEventListener("click", (event) => this.pressed(event.target.closest("[data-do]")?.dataset.do));
      addEventListener("pagehide", () => this.line?.close());
      this.test();
    }

    pressed(name) {
      const deeds = {
        test: () => this.test(), beep: () => calls.beep(), join: () => this.join("video"), "join-audio": () => this.join("audio"), "join-text": () => this.join("text"),
        mic: () => this.mute(), camera: () => this.camera(), text: () => this.chosen("text"), record: () => this.agree(!this.me?.agreed),
        agree: () => this.agree(true), decline: () => { this.declined = true; this.shown(); }, leave: () => this.leave(), again: () => this.join(this.wish), move: () => this.join(this.wish, true),
      };
      deeds[name]?.();
    }

    async test() {
      this.quiet?.();
      this.take(await calls.capture());
      this.view.tested("camera", this.media.video.state);
      this.view.tested("mic", this.media.audio.state);
      const meter = this.view.part("loudness");
      if (this.media.audio.track) this.quiet = calls.loudness(this.media.audio.track, (value) => { meter.value = value; });
      this.offered();
      this.view.tested("network", (await calls.reach(this.ice).catch(() => false)) ? "good" : "bad");
    }

    // Whoever has no camera is offered to talk, whoever has no microphone either to write.
    offered() {
      const { video, audio } = this.media;
      const hint = video.track ? "" : audio.track ? "audio" : "text";
      this.view.part("hint").hidden = !hint;
      this.view.text("hint", hint ? this.view.words[`hint-${hint}`] : "");
      for (const [name, good] of [["join", video.track], ["join-audio", audio.track && !video.track], ["join-text", !audio.track && !video.track]]) {
        this.view.button(name).classList.toggle("button-main", Boolean(good));
      }
      this.view.button("join").disabled = !video.track;
      this.view.button("join-audio").disabled = !audio.track;
    }

    take(media) {
      for (const kind of ["audio", "video"]) if (this.media[kind].track !== media[kind].track) this.media[kind].track?.stop();
      this.media = media;
      this.view.own(media.video.track, this.level ?? "video");
    }

    async join(wish, move = false) {
      this.quiet?.();
      this.wish = wish;
      if (wish === "video" && !this.media.video.track) this.take(await calls.capture());
      this.view.state("connecting");
      this.line = new calls.Line(this.data.line);
      for (const kind of ["welcome", "people", "signal", "adapt", "ice", "refused", "away", "over", "moved", "removed"]) {
        this.line.addEventListener(kind, ({ detail }) => (kind === "ice" ? this.renewed(detail) : this[kind](detail ?? {})));
      }
      this.line.open(move);
    }

    welcome(told) {
      this.you = told.you;
      this.levels = told.levels;
      this.choose(this.level ?? this.best, this.level ? this.why : this.bound);
      this.sampling ??= setInterval(() => this.sample(), SAMPLING);
      this.renewed(told);
    }

    // The password for the relay is good for some minutes; a new one is there before it is needed.
    renewed({ ice }) {
      this.ice = ice;
      clearTimeout(this.renewing);
      if (ice.ends) this.renewing = setTimeout(() => this.line.say({ kind: "ice" }), Math.max(5, ice.ends - Date.now() / 1000 - 120) * 1000);
    }

    get possible() { return this.media.video.track ? "video" : this.media.audio.track ? "audio" : "text"; }

    // No better than the devices and the person's own choice allow: no network switches on a camera that somebody switched off.
    get best() { return this.capped(this.wish, this.possible); }
    // Why it is no better: the devices, or the person's own choice.
    get bound() { return this.best === "video" ? "" : this.best === this.possible ? "refused" : "choice"; }
    capped(level, most) { return ORDER[Math.max(ORDER.indexOf(level), ORDER.indexOf(most))]; }

    people(told) {
      const before = this.all ?? [];
      this.all = told.people;
      this.recordingId = told.recording;
      this.me = told.people.find((one) => one.peer === this.you);
      const others = told.people.filter((one) => one.peer !== this.you);
      for (const [name, peer] of this.peers) {
        const now = others.find((one) => one.peer === name);
        if (!now || now.run !== peer.run) { peer.close(); this.peers.delete(name); }
      }
      others.filter((one) => !this.peers.has(one.peer)).forEach((one) => this.meet(one));
      this.view.people(others);
      // What the network took away while the other was gone is given again to whoever comes back: the network may be another.
      const back = others.some((one) => here(one) && returned(before.find((was) => was.peer === one.peer), one));
      if (back && this.why === "network") this.choose(this.best, this.bound);
      this.shown();
    }

    meet(one) {
      const means = { run: this.line.run, ice: () => this.ice, say: (body) => this.line.say({ kind: "signal", to: body.to, body }) };
      const peer = new calls.Peer(one, this.you < one.peer, means, (met) => { this.view.play(met.peer, met.stream, met.connected); this.shown(); });
      this.peers.set(one.peer, peer);
      this.send(peer);
    }

    signal({ from, body }) {
      const peer = this.peers.get(from);
      if (peer && body.run === peer.run && body.of === this.line.run) peer.hear(body);
    }

    send(peer) {
      const video = ["video", "low"].includes(this.level) && !this.dark ? this.media.video.track : null;
      const audio = this.level === "text" || this.silent ? null : this.media.audio.track;
      return peer.send({ audio, video }, this.levels.find((one) => one.level === this.level));
    }

    // What is sent from now on, and why; everybody is told.
    choose(level, why) {
      this.level = level;
      this.why = why;
      this.line.say({ kind: "level", level, why });
      this.levelled();
    }

    levelled() {
      this.peers.forEach((peer) => this.send(peer));
      this.view.own(["video", "low"].includes(this.level) ? this.media.video.track : null, this.level);
      this.view.root.dispatchEvent(new CustomEvent("call:level", { bubbles: true, detail: { level: this.level } }));
      this.shown();
    }

    adapt({ level, why }) {
      const most = this.capped(level, this.best);
      if (most !== level) return this.choose(most, this.bound);
      this.level = level;
      this.why = why;
      this.levelled();
    }

    async sample() {
      // Of somebody whose own network is gone nothing is learnt about ours.
      const met = [...this.peers.values()].filter((peer) => peer.connected || this.all.some((one) => one.peer === peer.peer && here(one)));
      if (!met.length || !this.line.ready || this.level === "text") return this.recover();
      const samples = await Promise.all(met.map((peer) => peer.sample().catch(() => ({}))));
      const worst = (name, pick) => { const known = samples.map((one) => one[name]).filter((one) => one != null); return known.length ? pick(...known) : null; };
      if (this.everConnected) this.line.say({ kind: "sample", lost: worst("lost", Math.max), kbps: worst("kbps", Math.min), ms: worst("ms", Math.max) });
    }

    // What the network had taken away altogether is tried again by voice as soon as there is a way.
    recover() {
      if (this.level === "text" && this.why === "network" && this.connected && this.media.audio.track) this.choose("audio", "network");
    }

    chosen(level) {
      this.wish = level;
      this.choose(level, "choice");
    }

    get connected() { return [...this.peers.values()].some((peer) => peer.connected); }

    shown() {
      const others = this.all?.filter((one) => one.peer !== this.you) ?? [];
      if (["over", "lobby"].includes(this.view.root.dataset.state)) return;
      if (this.connected) this.everConnected = true;
      const away = !this.line.ready || (this.peers.size && !this.connected && this.everConnected);
      this.view.state(away ? "reconnecting" : !others.length ? "waiting" : this.connected ? "talking" : "connecting");
      const own = this.level && this.level !== "video" ? [this.view.words.you, this.view.words[this.level], this.view.words[this.why]].filter(Boolean).join(" · ") : "";
      this.view.note(own);
      this.view.pressed("mic", Boolean(this.silent), this.silent ? "unmute" : "mute");
      const dark = !["video", "low"].includes(this.level) || Boolean(this.dark);
      this.view.pressed("camera", dark, dark ? "camera-on" : "camera-off");
      this.recorded(others);
    }

    recorded(others) {
      const asked = others.some((one) => one.agreed) && !this.declined;
      this.view.recording(Boolean(this.recordingId), asked, Boolean(this.me?.agreed));
      if (!others.some((one) => one.agreed)) this.declined = false;
      if (this.recorder && this.recorder.id !== this.recordingId) { this.recorder.stop(); this.recorder = null; }
      if (this.recordingId && !this.recorder && this.data.kind === "doctor" && this.data.parts) {
        this.recorder = new calls.Recorder(this.recordingId, this.data.parts, () => this.view.videos);
      }
    }

    agree(agreed) {
      if (!agreed) this.recorder?.stop();
      this.line.say({ kind: "agree", agreed });
    }

    mute() {
      this.silent = !this.silent;
      this.peers.forEach((peer) => this.send(peer));
      this.shown();
    }

    async camera() {
      if (["video", "low"].includes(this.level)) return this.chosen("audio");
      if (!this.media.video.track || !this.media.audio.track) this.take(await calls.capture());
      this.wish = "video";
      this.choose(this.possible, this.media.video.track ? "" : "refused");
    }

    away() { this.shown(); }

    refused(told) { this.why_ = told; }
    moved() { this.end(this.view.words.moved, true); }
    removed() { this.end(this.view.words.ended, false); }

    over({ code }) {
      if (this.view.root.dataset.state === "over") return;
      const elsewhere = this.why_?.why === "internet_hospital.call-elsewhere";
      this.end(this.why_?.text ?? (code === 4001 ? this.view.words.moved : this.view.words.ended), elsewhere || code === 4001);
    }

    leave() {
      this.line.close();
      this.end(this.view.words.ended, false);
    }

    end(text, movable) {
      clearInterval(this.sampling);
      this.sampling = undefined;
      this.recorder?.stop();
      this.peers.forEach((peer) => peer.close());
      this.peers.clear();
      this.take({ audio: { track: null, state: "off" }, video: { track: null, state: "off" } });
      Object.assign(this, { level: undefined, everConnected: false, all: [], recorder: null, why_: undefined });
      this.view.people([]);
      this.view.recording(false, false, false);
      this.view.note("");
      this.view.over(text, movable);
    }
  }

  calls.Room = Room;
  const root = document.querySelector("[data-call]");
  if (root) calls.room = new Room(root);
})();
