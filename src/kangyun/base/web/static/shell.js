// What the shell needs of JavaScript: keys, menus that close, htmx's form token, a note when the network is away.
(() => {
  "use strict";
  const typing = (element) => element.closest("input, textarea, select, [contenteditable]");
  const rows = () => [...document.querySelectorAll("[data-keys] [data-row]")];

  function step(direction) {
    const all = rows();
    if (!all.length) return;
    const here = all.indexOf(document.activeElement);
    const next = here < 0 ? (direction > 0 ? 0 : all.length - 1) : Math.min(Math.max(here + direction, 0), all.length - 1);
    all[next].focus();
    all[next].scrollIntoView({ block: "nearest" });
  }

  const keys = {
    "/": () => document.querySelector("[data-search]")?.focus(),
    "?": () => document.querySelector("[data-help]")?.toggleAttribute("open"),
    j: () => step(1),
    k: () => step(-1),
  };

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      document.querySelectorAll("details[data-popover][open]").forEach((menu) => menu.removeAttribute("open"));
      if (event.target.matches?.("[data-search]")) {
        // Escape would also empty the field, and with it the list one is about to walk through.
        event.preventDefault();
        event.target.blur();
      }
      return;
    }
    if (event.target.matches?.("[data-search]") && event.key === "ArrowDown") {
      event.preventDefault();
      step(1);
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    const action = keys[event.key];
    if (action) {
      event.preventDefault();
      action();
    }
  });

  document.addEventListener("click", (event) => {
    document.querySelectorAll("details[data-popover][open]").forEach((menu) => {
      if (!menu.contains(event.target)) menu.removeAttribute("open");
    });
    const closer = event.target.closest("[data-dismiss]");
    if (closer) closer.closest(".toast-item")?.remove();
    // To the form and what was typed there: its address alone would show it empty.
    if (event.target.closest("[data-to-form]") && history.length > 1) {
      event.preventDefault();
      history.back();
    }
  });

  document.addEventListener("htmx:config:request", (event) => {
    const token = document.querySelector('meta[name="csrf"]')?.content;
    const { request, sourceElement } = event.detail.ctx;
    if (token) request.headers["X-CSRF-Token"] = token;
    // What a page asks by itself again and again keeps nobody logged in.
    if (/\bevery\b/.test(sourceElement?.getAttribute("hx-trigger") ?? "")) request.headers["X-Unattended"] = "1";
  });

  // A part of the page that was refused leaves the page as it is, with what is typed there; the refusal is told beside it.
  document.addEventListener("htmx:before:response", (event) => {
    const { raw } = event.detail.ctx.response;
    const login = raw.redirected && new URL(raw.url).pathname.startsWith("/login");
    if (!login && !raw.headers.has("x-problem")) return;
    event.preventDefault();
    if (login || raw.status === 401) {
      document.querySelector("[data-expired]")?.removeAttribute("hidden");
      return;
    }
    raw.text().then((words) => {
      const toasts = document.getElementById("toasts");
      if (!toasts) return;
      const item = document.createElement("div");
      item.className = "toast-item";
      item.textContent = words.trim();
      toasts.replaceChildren(item);
      setTimeout(() => item.remove(), 10_000);
    });
  });
  document.addEventListener("htmx:after:swap", () => document.querySelector("[data-expired]")?.setAttribute("hidden", ""));

  // What is typed into a form is kept by this tab until the next page; when that one refuses it, going back fills the form again,
  // since browsers forget what stood on pages that must not be stored. Passwords and files are never kept.
  const kept = "kangyun-typed";
  const typed = (form) => [...form.elements].filter((one) => one.name && !["hidden", "password", "file", "submit", "button", "fieldset"].includes(one.type));
  const ticked = (one) => ["checkbox", "radio"].includes(one.type);

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post" || form.hasAttribute("hx-post")) return;
    const values = typed(form).map((one) => [one.name, ticked(one) ? one.checked : one.value]);
    sessionStorage.setItem(kept, JSON.stringify({ page: location.pathname, action: form.getAttribute("action"), values }));
  });

  function fill({ action, values }) {
    const form = [...document.forms].find((one) => one.getAttribute("action") === action);
    if (!form) return;
    form.closest("details")?.setAttribute("open", "");
    typed(form).forEach((one, place) => {
      const [name, value] = values[place] ?? [];
      if (name !== one.name) return;
      if (ticked(one)) one.checked = value;
      else one.value = value;
    });
  }

  if (!document.querySelector("[data-to-form]")) {
    const last = sessionStorage.getItem(kept);
    sessionStorage.removeItem(kept);
    const [here] = performance.getEntriesByType("navigation");
    const found = last && here?.type === "back_forward" ? JSON.parse(last) : null;
    if (found?.page === location.pathname) fill(found);
  }

  // An answer to a posted search becomes an ordinary entry of the history: going back or reloading posts nothing again.
  if (document.querySelector("[data-posted]")) history.replaceState(null, "", location.pathname);

  const note = document.querySelector("[data-offline]");
  const shown = () => note?.toggleAttribute("hidden", navigator.onLine);
  window.addEventListener("online", shown);
  window.addEventListener("offline", shown);
  shown();

  if ("serviceWorker" in navigator && window.isSecureContext) {
    const language = document.documentElement.lang.split("-")[0];
    window.addEventListener("load", () => navigator.serviceWorker.register("/service-worker.js").catch(() => {}));
    navigator.serviceWorker.ready.then(({ active }) => active.postMessage(language));
  }
})();
