// Passkeys: asks the server for a challenge, the device for an answer, and gives it back; without them nothing is shown.
(() => {
  "use strict";
  if (!window.PublicKeyCredential || !window.isSecureContext) return;
  document.querySelectorAll("[data-passkeys]").forEach((part) => part.removeAttribute("hidden"));

  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (sign) => sign.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

  // Browsers learnt to read and write the JSON of a challenge at different times, so it is done here.
  function readable(options) {
    const listed = (name) => options[name] && { [name]: options[name].map((one) => ({ ...one, id: bytes(one.id) })) };
    const user = options.user && { user: { ...options.user, id: bytes(options.user.id) } };
    return { ...options, challenge: bytes(options.challenge), ...user, ...listed("allowCredentials"), ...listed("excludeCredentials") };
  }

  function sendable(credential) {
    const response = {};
    for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (credential.response[name]) response[name] = text(credential.response[name]);
    }
    return JSON.stringify({
      id: credential.id, rawId: text(credential.rawId), type: credential.type, response,
      authenticatorAttachment: credential.authenticatorAttachment, clientExtensionResults: {},
    });
  }

  async function post(address, form) {
    const answer = await fetch(address, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { accept: "application/json" } });
    const told = await answer.json();
    if (!answer.ok) throw new Error(told.wrong || "");
    return told;
  }

  function keep(form, name, value) {
    const field = form.querySelector(`input[name="${name}"]`) || form.appendChild(Object.assign(document.createElement("input"), { type: "hidden", name }));
    field.value = value;
  }

  async function run(form) {
    const offered = await post(form.dataset.offer, form);
    const publicKey = readable(JSON.parse(offered.options));
    const creating = form.dataset.passkey === "create";
    const credential = await (creating ? navigator.credentials.create({ publicKey }) : navigator.credentials.get({ publicKey }));
    keep(form, "step", offered.step);
    keep(form, "credential", sendable(credential));
    // A new passkey is answered with a page, a login with the way onward.
    if (creating) form.submit();
    else location.assign((await post(form.action, form)).next);
  }

  document.querySelectorAll("form[data-passkey]").forEach((form) => form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const told = form.closest("[data-passkeys]").querySelector("[data-passkey-wrong]");
    told.hidden = true;
    try {
      await run(form);
    } catch (error) {
      told.textContent = (error.name === "Error" && error.message) || form.dataset.failed;
      told.hidden = false;
    }
  }));
})();
