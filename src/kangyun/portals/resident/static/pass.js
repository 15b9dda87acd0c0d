// Draws the signed codes that this phone kept, until they end. Works without a network; the page itself knows nobody.
(() => {
  "use strict";
  const svg = "http://www.w3.org/2000/svg";
  const place = document.getElementById("passes");

  function element(name, attributes) {
    const made = document.createElementNS(svg, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }

  function picture(pass) {
    const frame = document.createElement("div");
    frame.className = "code-picture";
    const code = element("svg", { class: "qr", viewBox: `0 0 ${pass.size} ${pass.size}`, role: "img", "aria-label": place.dataset.code, "shape-rendering": "crispEdges" });
    code.append(element("rect", { class: "qr-light", width: pass.size, height: pass.size }), element("path", { class: "qr-dark", d: pass.path }));
    frame.append(code);
    return frame;
  }

  function line(text, kind) {
    const made = document.createElement("p");
    made.className = kind;
    made.textContent = text;
    return made;
  }

  function show() {
    const passes = Object.values(JSON.parse(localStorage.getItem("kangyun-passes") ?? "{}")).filter((one) => one.until > Date.now());
    place.replaceChildren(...passes.flatMap((one) => [
      line(one.name, "pass-name"), picture(one), line(`${place.dataset.until} ${new Date(one.until).toLocaleString()}`, "pass-until"),
    ]));
    document.getElementById("no-pass").hidden = passes.length > 0;
  }

  show();
  setInterval(show, 30000);
})();
