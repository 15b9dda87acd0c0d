// The talk of a consultation: what is written is queued on the device and sent until the server has it, each message under
// an id of its own, so that a bad network neither loses nor doubles it. What is new is asked for every few seconds.
(() => {
  "use strict";
  const chat = document.querySelector("[data-chat]");
  if (!chat) return;
  const log = chat.querySelector("[data-log]");
  const list = chat.querySelector("[data-messages]");
  const form = chat.querySelector("form[data-say]");
  const state = chat.querySelector("[data-network]");
  const base = chat.dataset.base;
  const store = `consult-${base}`;
  const SOON = 2500;
  const LATEST = 20000;
  let after = chat.dataset.last;
  let pause = SOON;
  let timer = 0;
  let sending = false;
  let waiting = kept();

  function kept() {
    try {
      return JSON.parse(localStorage.getItem(store) || "[]");
    } catch {
      return [];
    }
  }

  // Pictures stay in memory: they are too large for the device's small store.
  function keep() {
    try {
      const texts = waiting.filter((one) => !one.files || !one.files.length).map(({ client, text }) => ({ client, text }));
      if (texts.length) localStorage.setItem(store, JSON.stringify(texts));
      else localStorage.removeItem(store);
    } catch { /* A device without a store sends what it has in memory. */ }
  }

  function tell(name) {
    state.textContent = name ? chat.dataset[name] : "";
    state.hidden = !name;
  }

  function bottom() {
    log.scrollTop = log.scrollHeight;
  }

  function draw(one) {
    const item = document.createElement("li");
    item.className = "chat-item chat-mine chat-waiting";
    item.dataset.client = one.client;
    const bubble = item.appendChild(document.createElement("div"));
    bubble.className = "chat-bubble";
    bubble.textContent = one.text || chat.dataset.picture;
    const note = item.appendChild(document.createElement("span"));
    note.className = "chat-when";
    note.textContent = chat.dataset.waiting;
    list.append(item);
    bottom();
  }

  // What waits no longer goes in the very moment when it stands in the talk, so that nobody sees it twice.
  function tidy() {
    list.querySelectorAll(".chat-waiting").forEach((item) => {
      if (!waiting.some((one) => one.client === item.dataset.client)) item.remove();
    });
  }

  async function send(one) {
    const body = new FormData();
    body.append("client", one.client);
    body.append("text", one.text);
    (one.files || []).forEach((file) => body.append("picture", file));
    const answer = await fetch(`${base}/messages`, {
      method: "POST", body, headers: { accept: "application/json", "x-csrf-token": form.querySelector("[name=csrf]").value },
    });
    if (answer.status >= 500) throw new Error("later");
    return answer.ok ? "" : ((await answer.json()).wrong || chat.dataset.failed);
  }

  async function flush() {
    if (sending) return;
    sending = true;
    try {
      while (waiting.length) {
        const wrong = await send(waiting[0]);
        const one = waiting.shift();
        keep();
        if (wrong) {
          tidy();
          form.querySelector("textarea").value ||= one.text;
          chat.dataset.refused = wrong;
          tell("refused");
        }
        await look();
      }
    } catch {
      tell("offline");
    } finally {
      sending = false;
    }
  }

  async function look() {
    const answer = await fetch(`${base}/messages?after=${encodeURIComponent(after)}`, { headers: { accept: "text/html" } });
    if (answer.status === 409 || answer.status === 401) return location.reload();
    if (!answer.ok) throw new Error("later");
    if (answer.headers.get("x-consultation") !== chat.dataset.state) return location.reload();
    const parts = document.createElement("template");
    parts.innerHTML = await answer.text();
    const known = new Set([...list.querySelectorAll("[data-id]")].map((item) => item.dataset.id));
    const fresh = [...parts.content.querySelectorAll("[data-id]")].filter((item) => !known.has(item.dataset.id));
    const first = list.querySelector(".chat-waiting");
    fresh.forEach((item) => list.insertBefore(item, first));
    tidy();
    if (fresh.length) bottom();
    after = answer.headers.get("x-last") || after;
  }

  async function turn() {
    clearTimeout(timer);
    try {
      if (!document.hidden) await look();
      if (state.textContent === chat.dataset.offline) tell("");
      pause = SOON;
      if (waiting.length) await flush();
    } catch {
      tell("offline");
      pause = Math.min(pause * 1.6, LATEST);
    }
    timer = setTimeout(turn, pause);
  }

  if (form) {
    const field = form.querySelector("textarea");
    const pick = form.querySelector("input[type=file]");
    const chosen = form.querySelector("[data-chosen]");
    pick.addEventListener("change", () => {
      chosen.textContent = [...pick.files].map((file) => file.name).join(", ");
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const one = { client: crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}-${Math.random()}`, text: field.value.trim(), files: [...pick.files] };
      if (!one.text && !one.files.length) return field.focus();
      tell("");
      waiting.push(one);
      keep();
      draw(one);
      field.value = "";
      pick.value = "";
      chosen.textContent = "";
      field.focus();
      flush();
    });
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing && matchMedia("(pointer: fine)").matches) {
        event.preventDefault();
        form.requestSubmit();
      }
    });
    waiting.forEach(draw);
  } else {
    waiting = [];
    keep();
  }
  addEventListener("online", () => { pause = SOON; turn(); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) turn(); });
  bottom();
  turn();
})();
