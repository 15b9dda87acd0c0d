// Counts the code's seconds down and asks for the next one; keeps the signed code on the phone for moments without a network.
(() => {
  "use strict";
  const shelf = "kangyun-passes";
  let began = 0;

  function watch() {
    began = performance.now();
  }

  function tick() {
    const frame = document.getElementById("code");
    const left = frame?.querySelector("[data-left]");
    if (!left) return;
    const rest = Math.max(0, Math.ceil(Number(frame.dataset.seconds) - (performance.now() - began) / 1000));
    left.textContent = String(rest);
    if (rest === 0 && navigator.onLine) frame.dispatchEvent(new Event("renew"));
  }

  function keep() {
    const made = document.querySelector("[data-pass]");
    if (!made) return;
    const { card, name, until, size, path } = made.dataset;
    const passes = JSON.parse(localStorage.getItem(shelf) ?? "{}");
    for (const [key, one] of Object.entries(passes)) if (one.until < Date.now()) delete passes[key];
    passes[card] = { name, until: Number(until), size: Number(size), path };
    localStorage.setItem(shelf, JSON.stringify(passes));
    // The page that shows it without a network, and what that page needs, go onto the service worker's shelf.
    const needed = ["/resident/pass", ...made.dataset.files.split(" ")];
    navigator.serviceWorker?.ready.then(() => caches.open("kangyun-offline")).then((cache) => cache.addAll(needed)).catch(() => {});
  }

  watch();
  keep();
  setInterval(tick, 500);
  document.addEventListener("htmx:after:swap", watch);
})();
