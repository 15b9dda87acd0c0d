// Keeps the offline page, its looks, and pages that say so themselves (x-kept-offline); nothing about anybody is ever stored by it.
const shelf = "kangyun-offline";
const files = ["/offline", /* FILES */];

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches.delete(shelf).then(() => caches.open(shelf)).then((cache) => cache.addAll(files)).then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

const kept = (request) => caches.match(request, { ignoreSearch: true, ignoreVary: true });

async function fresh(request) {
  const answer = await fetch(request);
  if (answer.ok && answer.headers.has("x-kept-offline")) (await caches.open(shelf)).put(request, answer.clone());
  return answer;
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.mode === "navigate") {
    event.respondWith(fresh(request).catch(async () => (await kept(request)) ?? caches.match("/offline")));
  } else if (new URL(request.url).pathname.startsWith("/static/")) {
    event.respondWith(fetch(request).catch(() => kept(request)));
  }
});
