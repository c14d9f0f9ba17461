// The page of `fastgate dev`: the requests as the edge logs them, the faults of the policy, and a form that sends a
// request with a token of the development provider. All text is inserted as text, never as HTML.

import { BudgetTable, costOf } from "./budgets.js";
import { $, element } from "./elements.js";

const MOST_REQUESTS = 200;
const AGAIN_AFTER = 3000; // ms
const BODY_METHODS = new Set(["POST", "PUT", "PATCH", "DELETE"]);

const form = $("request");
let current = { routes: [], scopes: [], issuers: [], faults: [], error: null };
const budgets = new BudgetTable($("budgets"));

const list = (text) => text.split(/[\s,]+/).filter(Boolean);

// ---- what is in force ----

function showState(state) {
  current = state;
  $("app").textContent = `${state.app ?? "no app"}, ${state.routes.length} routes in force`;
  const isGood = state.faults.length === 0 && state.error === null;
  $("problems").hidden = isGood;
  $("former").textContent = state.routes.length
    ? "The former policy and the former app stay in force until it is correct."
    : "Until it is correct, the edge responds 503.";
  $("faults").replaceChildren(
    ...state.faults.map(({ where, what, remedy }) => element("li", `${where}\n${what}\n→ ${remedy}`)),
  );
  $("error").hidden = state.error === null;
  $("error").textContent = state.error ?? "";
  $("ended").hidden = !state.ended;
  $("ended").textContent = state.ended ?? "";
  showRoutes(state.routes);
  showScopes(state.scopes);
  budgets.inForce(state.budgets);
  replaceOptions(form.issuer, state.issuers.map(({ id }) => [id, id]));
}

function replaceOptions(select, options) {
  const chosen = select.value;
  select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
  if (options.some(([value]) => value === chosen)) select.value = chosen;
}

function showRoutes(routes) {
  const http = routes.filter((route) => !route.websocket);
  const before = form.route.value;
  replaceOptions(form.route, [["", "(any path)"], ...http.map((route) => [route.id, `${route.methods.join(" ")} ${route.path}`])]);
  if (!before && http.length) {
    const first = http.find((route) => !route.path.includes("{")) ?? http[0];
    form.route.value = first.id;
    chooseRoute();
  }
}

function showScopes(scopes) {
  const chosen = new Set([...$("scopes").querySelectorAll("input:checked")].map((box) => box.value));
  $("scopes").replaceChildren(
    ...scopes.map((scope) => {
      const label = element("label", "");
      const box = document.createElement("input");
      Object.assign(box, { type: "checkbox", name: "scope", value: scope, checked: chosen.has(scope) });
      label.append(box, scope);
      return label;
    }),
  );
}

function chooseRoute() {
  const route = current.routes.find(({ id }) => id === form.route.value);
  const methods = route?.methods ?? ["GET", "POST", "PUT", "PATCH", "DELETE"];
  replaceOptions(form.method, methods.filter((method) => method !== "WEBSOCKET").map((method) => [method, method]));
  if (methods.includes("GET")) form.method.value = "GET";
  if (route) form.target.value = route.path.replace(/\{(\w+)(?::\w+)?\}/g, (_, name) => (/id$/.test(name) ? "1" : name));
  chooseMethod();
}

function chooseMethod() {
  form.querySelector(".body").hidden = !BODY_METHODS.has(form.method.value);
}

// ---- sending ----

async function tokenFor() {
  const caller = { subject: form.subject.value };
  const scopes = [...$("scopes").querySelectorAll("input:checked")].map((box) => box.value);
  caller.scopes = [...new Set([...scopes, ...list(form.scopes.value)])];
  if (form.roles.value.trim()) caller.roles = list(form.roles.value);
  if (form.groups.value.trim()) caller.groups = list(form.groups.value);
  if (form.tenant.value.trim()) caller.tenant = form.tenant.value.trim();
  if (form.claims.value.trim()) caller.claims = JSON.parse(form.claims.value);
  const response = await fetch(`tokens/${encodeURIComponent(form.issuer.value)}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(caller),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error ?? answer.detail ?? "no token");
  return answer.access_token;
}

async function send() {
  const method = form.method.value;
  const headers = {};
  let body;
  if (form.authenticated.checked) headers.authorization = `Bearer ${await tokenFor()}`;
  if (BODY_METHODS.has(method) && form.body.value.trim()) {
    headers["content-type"] = "application/json";
    body = form.body.value;
  }
  const target = new URL(form.target.value, location.origin);
  if (target.origin !== location.origin) throw new Error("write a path of this edge, such as /orders/1");
  const response = await fetch(target, { method, headers, body, redirect: "manual", cache: "no-store" });
  return { response, text: await response.text(), command: curl(method, target, headers, body) };
}

function curl(method, target, headers, body) {
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const fields = Object.entries(headers).map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`);
  const data = body === undefined ? [] : ["-d", quoted(body)];
  return ["curl -i", ...(method === "GET" ? [] : ["-X", method]), quoted(target.href), ...fields, ...data].join(" ");
}

function showResponse(title, kind, content, fields = "", command = "") {
  $("response").hidden = false;
  $("status").textContent = title;
  $("status").className = kind;
  $("content").textContent = content;
  $("fields").textContent = fields;
  $("command").textContent = command;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const { response, text, command } = await send();
    let shown = text;
    try {
      shown = JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      // not JSON: shown as it is
    }
    const title = response.type === "opaqueredirect" ? "a redirect" : `${response.status} ${response.statusText}`;
    const fields = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    showResponse(title, response.ok ? "good" : "bad", shown, fields, command);
  } catch (error) {
    showResponse("not sent", "bad", String(error.message ?? error));
  }
});
form.route.addEventListener("change", chooseRoute);
form.method.addEventListener("change", chooseMethod);

// ---- what happens ----

function placementOf({ model, region, backend, skipped = [], retried = [] }) {
  const parts = [["model", model], ["region", region], ["backend", backend]];
  const shown = parts.filter(([, name]) => name !== undefined).map(([kind, name]) => `${kind} ${name}`);
  if (skipped.length) shown.push(`passed over: ${skipped.join(", ")}`);
  if (retried.length) shown.push(`failed before: ${retried.join(", ")}`);
  return shown.join(", ");
}

function showRequest(request) {
  const steps = request.steps.map(([step, time]) => `${step} ${time.toLocaleString("en")}`).join(", ");
  const kind = request.status < 400 ? "good" : "bad";
  const outcome = request.cause ? `${request.verdict}: ${request.cause}` : request.verdict;
  const placement = placementOf(request);
  if (placement) $("requests").classList.add("placed");
  budgets.reserved(request);
  const row = document.createElement("tr");
  row.dataset.requestId = request.request_id;
  row.append(
    element("td", request.status, kind),
    element("td", request.method),
    element("td", request.recorded?.path ?? "(no canonical path)"),
    element("td", request.route ?? ""),
    element("td", request.subject ?? ""),
    element("td", outcome, `outcome ${kind}`),
    element("td", placement, "placement"),
    element("td", steps),
  );
  const body = $("requests").tBodies[0];
  body.prepend(row);
  while (body.rows.length > MOST_REQUESTS) body.deleteRow(-1);
  $("requests").hidden = false;
  $("none").hidden = true;
}

// What a request to a model cost is known after its response.
function showSettlement(settlement) {
  budgets.settled(settlement);
  const row = [...$("requests").tBodies[0].rows].find((each) => each.dataset.requestId === settlement.request_id);
  row?.querySelector(".outcome").append(`, ${costOf(settlement)}`);
}

let seen = 0;
let seenSession;
function showEvent({ kind, number, session, ...event }) {
  if (session === seenSession && number <= seen) return; // after a reconnection the last events come again
  seen = number;
  seenSession = session;
  if (kind === "policy") showState(event);
  if (kind === "request") showRequest(event.request);
  if (kind === "settlement") showSettlement(event.settlement);
}

function connect() {
  const stream = new EventSource("events");
  stream.onmessage = ({ data }) => showEvent(JSON.parse(data));
  stream.onopen = async () => {
    $("connection").textContent = "connected";
    // What has changed while there was no connection may not be among the last events.
    showState(await (await fetch("state")).json());
  };
  stream.onerror = () => {
    $("connection").textContent = "not connected: is `fastgate dev` still running?";
    // After a response that is no stream, the browser does not try again.
    if (stream.readyState === EventSource.CLOSED) setTimeout(connect, AGAIN_AFTER);
  };
}
connect();
