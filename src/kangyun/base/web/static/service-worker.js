// Keeps the offline page, its looks, and pages that say so themselves (x-kept-offline); nothing about anybody is ever stored by it.
const shelf = "kangyun-offline";
// Asked for without cookies, so that the page names nobody who is logged in.
const files = [...["zh", "en"].map((one) => new Request(`/offline?lang=${one}`, { credentials: "omit" })), /* FILES */];
// Where the language of the last page is remembered.
const spoken = "/offline?language";
let language;

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches.delete(shelf).then(() => caches.open(shelf)).then((cache) => cache.addAll(files)).then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

const kept = (request) => caches.match(request, { ignoreSearch: true, ignoreVary: true });

// A page says in which language it is.
self.addEventListener("message", (event) => {
  if (event.data === language || !["zh", "en"].includes(event.data)) return;
  language = event.data;
  event.waitUntil(caches.open(shelf).then((cache) => cache.put(spoken, new Response(language))));
});

async function offline() {
  const last = language ?? (await (await caches.match(spoken))?.text()) ?? navigator.language;
  return caches.match(`/offline?lang=${last.startsWith("en") ? "en" : "zh"}`, { ignoreVary: true });
}

async function fresh(request) {
  const answer = await fetch(request);
  if (answer.ok && answer.headers.has("x-kept-offline")) (await caches.open(shelf)).put(request, answer.clone());
  return answer;
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.mode === "navigate") {
    event.respondWith(fresh(request).catch(async () => (await kept(request)) ?? offline()));
  } else if (new URL(request.url).pathname.startsWith("/static/")) {
    event.respondWith(fetch(request).catch(() => kept(request)));
  }
});
