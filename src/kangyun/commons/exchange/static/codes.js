// Keys of the row in focus: a accepts the suggestion, x says that nothing fits. The next row gets the focus after the reload.
(() => {
  "use strict";
  const list = document.querySelector("[data-codes]");
  const place = "codes.row";
  if (list) {
    const rows = [...list.querySelectorAll("[data-row]")];
    const left = Number(sessionStorage.getItem(place) ?? -1);
    sessionStorage.removeItem(place);
    if (left >= 0 && rows.length) rows[Math.min(left, rows.length - 1)].focus();
    list.addEventListener("submit", (event) => {
      const row = event.target.closest(".code-row")?.querySelector("[data-row]");
      sessionStorage.setItem(place, String(rows.indexOf(row)));
    });
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
    const row = document.activeElement?.closest(".code-row");
    const button = row?.querySelector(`[data-do="${CSS.escape(event.key)}"]`);
    if (button) {
      event.preventDefault();
      button.click();
    }
  });
})();
