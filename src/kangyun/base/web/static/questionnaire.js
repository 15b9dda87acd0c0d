// Shows and hides questions while one answers, by the same conditions that the server checks again on arrival.
(() => {
  "use strict";
  const numeric = new Set(["integer", "decimal", "quantity"]);

  function nearest(item, link) {
    const name = `[data-link="${CSS.escape(link)}"]`;
    for (let scope = item.parentElement; scope; scope = scope.parentElement.closest("[data-scope], form")) {
      const found = scope.querySelector(name);
      if (found || scope.matches("form")) return found;
    }
    return null;
  }

  function answers(item) {
    if (!item || item.closest(".form-item[hidden]")) return [];
    const own = [...item.querySelectorAll("input, select, textarea")].filter(
      (field) => field.closest("[data-link]") === item && !field.name.endsWith(":unit") && field.type !== "hidden",
    );
    return own.filter((field) => !/radio|checkbox/.test(field.type) || field.checked).map((field) => field.value.trim()).filter(Boolean);
  }

  function compare(left, right, asNumber) {
    if (asNumber) return Number(left) - Number(right);
    return left < right ? -1 : left > right ? 1 : 0;
  }

  function equal(value, key, asNumber) {
    if (key.startsWith("|")) return value.slice(value.lastIndexOf("|")) === key;
    return compare(value, key, asNumber) === 0;
  }

  function holds(condition, item) {
    const asked = nearest(item, condition.question);
    const given = answers(asked);
    const asNumber = numeric.has(asked?.dataset.kind);
    const tests = {
      exists: () => given.length > 0 === (condition.key === "true"),
      "=": () => given.some((value) => equal(value, condition.key, asNumber)),
      "!=": () => !given.some((value) => equal(value, condition.key, asNumber)),
      ">": () => given.some((value) => compare(value, condition.key, asNumber) > 0),
      "<": () => given.some((value) => compare(value, condition.key, asNumber) < 0),
      ">=": () => given.some((value) => compare(value, condition.key, asNumber) >= 0),
      "<=": () => given.some((value) => compare(value, condition.key, asNumber) <= 0),
    };
    return tests[condition.operator]();
  }

  function refresh(form) {
    form.querySelectorAll("[data-when]").forEach((item) => {
      const verdicts = JSON.parse(item.dataset.when).map((condition) => holds(condition, item));
      item.hidden = !("any" in item.dataset ? verdicts.some(Boolean) : verdicts.every(Boolean));
    });
  }

  document.addEventListener("input", (event) => {
    const form = event.target.closest("[data-questionnaire]");
    if (form) refresh(form);
  });
  document.querySelectorAll("[data-questionnaire]").forEach(refresh);
})();
