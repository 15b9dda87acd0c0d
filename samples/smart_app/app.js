// A whole SMART on FHIR app without any library: it asks for access, gets a token, reads results and shows them.
// Start at `main` at the end. Specification: https://hl7.org/fhir/smart-app-launch/

const here = location.origin + location.pathname; // redirect_uri and launch address, as they were registered
const $ = (id) => document.getElementById(id);

const base64url = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

async function json(address, options = {}) {
  const answer = await fetch(address, options);
  if (!answer.ok) throw new Error(`${answer.status} ${new URL(address).pathname}`);
  return answer.json();
}

// 1. Ask where the person's consent is asked, and go there. `launch` is there when the app was opened from a doctor's page.
async function ask({ clientId, scope }, fhir, launch) {
  const server = await json(`${fhir}/.well-known/smart-configuration`);
  const verifier = random(), state = random();
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  sessionStorage.setItem(state, JSON.stringify({ verifier, fhir, token: server.token_endpoint, issuer: server.issuer, clientId }));
  const asked = new URLSearchParams({
    response_type: "code", client_id: clientId, redirect_uri: here, aud: fhir, state,
    scope: launch ? `launch ${scope}` : `launch/patient ${scope}`,
    code_challenge: base64url(digest), code_challenge_method: "S256",
  });
  if (launch) asked.set("launch", launch);
  location.assign(`${server.authorization_endpoint}?${asked}`);
}

// 2. The person said yes or no and was sent back here: exchange the code for a token.
async function receive(told) {
  const kept = JSON.parse(sessionStorage.getItem(told.get("state")) ?? "null");
  sessionStorage.removeItem(told.get("state"));
  history.replaceState(null, "", here); // the code must not stay in the address bar
  if (!kept || told.get("iss") !== kept.issuer) throw new Error("this answer does not belong to our question");
  if (told.get("error")) return { refused: told.get("error") };
  const body = new URLSearchParams({
    grant_type: "authorization_code", code: told.get("code"), redirect_uri: here, client_id: kept.clientId, code_verifier: kept.verifier,
  });
  return { fhir: kept.fhir, ...await json(kept.token, { method: "POST", body }) };
}

// 3. Read with the token, and show.
async function show({ fhir, access_token: token, patient }) {
  const options = { headers: { authorization: `Bearer ${token}`, accept: "application/fhir+json" } };
  const who = await json(`${fhir}/Patient/${patient}`, options);
  const found = await json(`${fhir}/Observation?patient=${patient}&category=laboratory&_count=50`, options);
  $("whose").textContent = who.name?.[0]?.text ?? patient;
  for (const { resource } of found.entry ?? []) {
    const row = $("results").insertRow();
    const { valueQuantity: number, valueString: text, valueCodeableConcept: word } = resource;
    row.insertCell().textContent = resource.code?.text ?? resource.code?.coding?.[0]?.display ?? "";
    row.insertCell().textContent = number ? `${number.value} ${number.unit ?? ""}` : text ?? word?.text ?? "—";
    row.insertCell().textContent = (resource.effectiveDateTime ?? resource.issued ?? "").slice(0, 10);
  }
  $("record").hidden = false;
  say(`共 ${found.entry?.length ?? 0} 项结果 · ${found.entry?.length ?? 0} results`);
}

function say(text) {
  $("says").textContent = text;
}

async function main() {
  const told = new URLSearchParams(location.search);
  const config = await json(new URL("config.json", here).href);
  if (told.has("state")) {
    const answer = await receive(told);
    if (answer.access_token) return show(answer);
    say("没有得到允许。 Access was not allowed.");
  } else if (told.has("launch")) {
    return ask(config, told.get("iss"), told.get("launch"));
  } else {
    say("还没有连接。 Not connected yet.");
  }
  $("connect").hidden = false;
  $("connect").addEventListener("click", () => ask(config, config.fhir));
}

main().catch((error) => say(`出错了 · Something went wrong: ${error.message}`));
