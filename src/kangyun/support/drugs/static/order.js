// Order entry by keys: Enter takes the first drug found, Ctrl+Enter signs; after a drug was taken one goes on typing.
(() => {
  "use strict";
  const form = document.getElementById("order");
  const find = document.getElementById("find");
  if (!form || !find) return;

  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      form.querySelector("[data-sign]")?.click();
    } else if (event.target === find) {
      event.preventDefault();
      document.querySelector("#hits [data-row]")?.click();
    } else if (event.target.matches("input")) {
      // A field that is done leads on to the next one; only the buttons send the form.
      event.preventDefault();
      event.target.blur();
      find.focus();
    }
  });

  document.addEventListener("htmx:after:swap", (event) => {
    const target = event.detail?.ctx?.target ?? event.target;
    if (target?.id !== "sheet" || !find.value) return;
    find.value = "";
    document.getElementById("hits").replaceChildren();
    find.focus();
  });
})();
