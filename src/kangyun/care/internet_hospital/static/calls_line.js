// The line to our server: it says who is in the call and carries what browsers tell each other. It comes back by itself.
(() => {
  "use strict";
  const calls = (window.kangyunCalls ??= {});
  const PAUSES = [300, 800, 1500, 3000, 5000];
  const FINAL = new Set([1000, 4001, 4003, 4400]);
  const secret = () => [...crypto.getRandomValues(new Uint8Array(18))].map((one) => one.toString(16).padStart(2, "0")).join("");

  function device() {
    // One tab is one device: it keeps its place when it is loaded anew, and a second tab is told that it is a second one.
    const kept = sessionStorage.getItem("kangyun-call") ?? secret();
    sessionStorage.setItem("kangyun-call", kept);
    return kept;
  }

  class Line extends EventTarget {
    constructor(path) {
      super();
      this.address = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;
      this.run = secret();
      this.last = 0;
      this.tries = 0;
      this.waiting = [];
      this.over = false;
      addEventListener("online", () => this.again());
    }

    open(move = false) {
      this.over = false;
      const socket = (this.socket = new WebSocket(this.address));
      socket.onopen = () => socket.send(JSON.stringify({ kind: "hello", device: device(), run: this.run, move }));
      socket.onmessage = (event) => socket === this.socket && this.hear(JSON.parse(event.data));
      socket.onclose = (event) => socket === this.socket && this.lost(event.code);
    }

    hear(told) {
      if (told.kind === "welcome") {
        this.tries = 0;
        this.ready = true;
        this.waiting.splice(0).forEach((one) => this.say(one));
      }
      if (told.id) {
        if (told.id <= this.last) return;
        this.last = told.id;
        this.say({ kind: "taken", id: told.id });
      }
      this.dispatchEvent(new CustomEvent(told.kind, { detail: told }));
    }

    // What is said while the line is away is said when it is back, save what is only good at its moment.
    say(told) {
      if (this.ready && this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(told));
      else if (["signal", "level", "agree"].includes(told.kind)) this.waiting = [...this.waiting.slice(-60), told];
    }

    lost(code) {
      this.ready = false;
      if (FINAL.has(code)) {
        this.over = true;
        this.dispatchEvent(new CustomEvent("over", { detail: { code } }));
        return;
      }
      this.dispatchEvent(new CustomEvent("away"));
      this.timer = setTimeout(() => this.again(), PAUSES[Math.min(this.tries++, PAUSES.length - 1)]);
    }

    again() {
      clearTimeout(this.timer);
      if (!this.over && this.socket && this.socket.readyState === WebSocket.CLOSED) this.open();
    }

    close() {
      this.say({ kind: "bye" });
      this.over = true;
    }
  }

  calls.Line = Line;
})();
