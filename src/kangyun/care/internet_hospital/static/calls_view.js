// What people see of a call: who is there, how well it goes, what is recorded; each state as a word, not by colour alone.
(() => {
  "use strict";
  const calls = (window.kangyunCalls ??= {});

  class View {
    constructor(root) {
      this.root = root;
      this.words = JSON.parse(root.dataset.words);
      this.tiles = new Map();
    }

    part(name) { return this.root.querySelector(`[data-${name}]`); }
    button(name) { return this.root.querySelector(`[data-do="${name}"]`); }

    state(state) {
      this.root.dataset.state = state;
      if (this.words[state]) this.text("state-word", this.words[state]);
      this.part("lobby").hidden = state !== "lobby";
      this.part("over").hidden = state !== "over";
      this.part("controls").hidden = state === "lobby" || state === "over";
    }

    text(name, text) {
      const place = this.part(name);
      if (place.textContent !== text) place.textContent = text;
    }

    note(text) {
      this.part("note").hidden = !text;
      this.text("note", text);
    }

    over(text, movable) {
      this.state("over");
      this.text("state-word", this.words.ended);
      this.text("over-word", text);
      this.button("move").hidden = !movable;
      this.button("again").hidden = movable;
    }

    tested(name, state) {
      const line = this.root.querySelector(`[data-test="${name}"]`);
      line.dataset.is = state;
      line.querySelector("[data-test-word]").textContent = this.words[`${name}-${state}`];
    }

    pressed(name, pressed, word) {
      const button = this.button(name);
      button.setAttribute("aria-pressed", String(pressed));
      button.querySelector("span").textContent = this.words[word];
    }

    // One tile for each of the others; what they send and why stands under it.
    people(others) {
      for (const [peer, tile] of this.tiles) {
        if (!others.some((one) => one.peer === peer)) { tile.remove(); this.tiles.delete(peer); }
      }
      others.forEach((one) => this.captioned(this.tile(one.peer), one));
    }

    tile(peer) {
      if (!this.tiles.has(peer)) {
        const tile = document.createElement("figure");
        tile.className = "call-tile";
        tile.append(Object.assign(document.createElement("video"), { autoplay: true, playsInline: true }), document.createElement("figcaption"));
        this.part("people").append(tile);
        this.tiles.set(peer, tile);
      }
      return this.tiles.get(peer);
    }

    captioned(tile, one) {
      const here = one.here && !one.silent;
      tile.dataset.level = one.level;
      tile.dataset.role = one.role;
      tile.dataset.here = String(here);
      const how = here ? this.words[one.level] : this.words.away;
      const why = here && one.why && one.level !== "video" ? this.words[one.why] : "";
      const who = one.name === this.words[one.role] ? one.name : `${one.name} ${this.words[one.role]}`;
      const text = [who, how, why].filter(Boolean).join(" · ");
      const caption = tile.querySelector("figcaption");
      if (caption.textContent !== text) caption.textContent = text;
    }

    play(peer, stream, connected) {
      const tile = this.tile(peer);
      const video = tile.querySelector("video");
      if (video.srcObject !== stream) video.srcObject = stream;
      tile.dataset.connected = String(connected);
      video.play().catch(() => {});
    }

    own(track, level) {
      const video = this.part("self");
      video.srcObject = track ? new MediaStream([track]) : null;
      this.root.dataset.level = level;
    }

    recording(running, asked, agreed) {
      this.part("recording").hidden = !running && !(asked && agreed);
      this.text("recording-word", running ? this.words.running : this.words.asking);
      this.part("ask").hidden = running || !asked || agreed;
      this.pressed("record", agreed, agreed ? "withdraw" : "record");
      if (agreed) this.button("record").hidden = false;
    }

    get videos() {
      return [...this.root.querySelectorAll("video")].filter((video) => video.srcObject);
    }
  }

  calls.View = View;
})();
