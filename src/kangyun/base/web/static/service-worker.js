// Keeps only the offline page and its looks; nothing about anybody is ever stored by it.
const shelf = "kangyun-offline";
const files = ["/offline", /* FILES */];

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches.delete(shelf).then(() => caches.open(shelf)).then((cache) => cache.addAll(files)).then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  if (event.request.mode === "navigate") {
    event.respondWith(fetch(event.request).catch(() => caches.match("/offline")));
  } else if (new URL(event.request.url).pathname.startsWith("/static/")) {
    event.respondWith(fetch(event.request).catch(() => caches.match(event.request)));
  }
});
