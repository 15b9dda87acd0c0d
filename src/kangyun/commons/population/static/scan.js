// The camera as a scanner: looks for a code several times a second and sends what it reads; remembers the desk's place.
(() => {
  "use strict";
  const form = document.getElementById("scan");
  const code = document.getElementById("code");
  const button = document.querySelector("[data-camera]");
  const picture = document.querySelector("[data-picture]");
  const refused = document.querySelector("[data-camera-refused]");
  const canvas = document.createElement("canvas");
  const pause = 120;
  const quiet = 4000;
  let stream = null;
  let last = { text: "", at: 0 };

  for (const field of form.querySelectorAll("[data-kept]")) {
    const kept = localStorage.getItem(`kangyun-scan-${field.name}`);
    if (kept) field.value = kept;
    field.addEventListener("change", () => localStorage.setItem(`kangyun-scan-${field.name}`, field.value));
  }

  function read(text) {
    const now = Date.now();
    // One code held before the camera is one reading.
    if (text === last.text && now - last.at < quiet) return;
    last = { text, at: now };
    code.value = text;
    navigator.vibrate?.(60);
    form.requestSubmit();
  }

  function look() {
    if (!stream) return;
    const width = picture.videoWidth;
    const height = picture.videoHeight;
    if (width && height) {
      canvas.width = width;
      canvas.height = height;
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.drawImage(picture, 0, 0, width, height);
      const found = window.jsQR(context.getImageData(0, 0, width, height).data, width, height);
      if (found?.data) read(found.data);
    }
    setTimeout(look, pause);
  }

  async function start() {
    refused.hidden = true;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" }, audio: false });
    } catch {
      refused.hidden = false;
      return;
    }
    picture.srcObject = stream;
    picture.hidden = false;
    button.setAttribute("aria-pressed", "true");
    await picture.play();
    look();
  }

  function stop() {
    stream?.getTracks().forEach((track) => track.stop());
    stream = null;
    picture.hidden = true;
    button.setAttribute("aria-pressed", "false");
  }

  button.addEventListener("click", () => (stream ? stop() : start()));
  window.addEventListener("pagehide", stop);

  // A keyboard scanner types the next code right after the last one: the field is empty and waits for it.
  document.addEventListener("htmx:after:swap", () => {
    const pin = document.querySelector("[data-pin]");
    if (pin) return pin.focus();
    code.value = "";
    code.focus();
  });
})();
