// The page of `fastgate dev`, in Chromium, in front of the real edge and a real app.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { startBrowser, startDev } from "./start.mjs";

let dev, browser, page;
const complaints = [];

before(async () => {
  [dev, browser] = await Promise.all([startDev(), startBrowser()]);
  page = await browser.newPage({ viewport: { width: 1240, height: 660 } });
  page.setDefaultTimeout(20_000);
  page.on("console", (message) => {
    // The browser reports each response of 400 and more; the form shows it, too.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("dialog", (dialog) => {
    complaints.push(`a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  await page.goto(`${dev.edge}/__fastgate/`);
  await page.getByText("connected", { exact: true }).waitFor();
});

after(async () => {
  await browser?.close();
  await dev?.stop();
});

const row = (...texts) => texts.reduce((rows, hasText) => rows.filter({ hasText }), page.locator("#requests tbody tr"));
const problems = () => page.getByRole("region", { name: "What is wrong with the policy" });
const status = () => page.locator("#status");

async function choose(route, target, scopes) {
  await page.getByLabel("Route").selectOption({ label: route });
  await page.getByLabel("Path and query").fill(target);
  for (const scope of ["orders:read", "orders:write"]) {
    await page.getByRole("checkbox", { name: scope }).setChecked(scopes.includes(scope));
  }
}

test("it shows the routes and the scopes of the app", async () => {
  const routes = await page.getByLabel("Route").locator("option").allTextContents();
  assert.deepEqual(routes.sort(), ["(any path)", "GET /health", "GET /orders/{order_id}", "POST /chat", "POST /orders"]);
  assert.match(await page.locator("#app").textContent(), /main:app, 4 routes in force/);
  assert.equal(await problems().isVisible(), false);
});

test("a caller with the scope gets 200, and one without it 403", async () => {
  await choose("GET /orders/{order_id}", "/orders/1?with=scope", ["orders:read"]);
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("heading", { name: "200 OK" }).waitFor();
  assert.match(await page.locator("#content").textContent(), /"note": "<img src=x onerror=alert\(1\)>"/);
  const allowed = row("200", "/orders/1", "ada", "forwarded");
  await allowed.first().waitFor();
  assert.match(await allowed.first().locator("td").last().textContent(), /identify [\d,]+, .*forward [\d,]+/);

  await page.getByLabel("Caller").fill("eve");
  await choose("GET /orders/{order_id}", "/orders/2", []);
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("heading", { name: "403 Forbidden" }).waitFor();
  await row("403", "/orders/2", "eve", "scope").first().waitFor();
});

test("a body is sent, and a caller without a token gets 401", async () => {
  await choose("POST /orders", "/orders", ["orders:write"]);
  await page.getByLabel("Body (JSON)").fill('{"item": "book"}');
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("heading", { name: "200 OK" }).waitFor();
  assert.deepEqual(JSON.parse(await page.locator("#content").textContent()), { item: "book" });
  await page.getByRole("checkbox", { name: "with a token for" }).uncheck();
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("heading", { name: /^401/ }).waitFor();
  await page.getByRole("checkbox", { name: "with a token for" }).check();
});

const budget = () => page.getByRole("region", { name: "Budgets" }).getByRole("row", { name: /^daily/ });
const remaining = async () => Number((await budget().textContent()).match(/([\d,]+) tokens, resets/)[1].replaceAll(",", ""));
const asks = (model, words = "") => JSON.stringify({ model, max_tokens: 50, messages: [{ role: "user", content: words }] });

async function ask(body, status) {
  await page.getByLabel("Body (JSON)").fill(body);
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("heading", { name: status }).waitFor();
}

test("the budgets of the policy are shown before any request is counted", async () => {
  assert.match(await budget().textContent(), /^daily10,000 tokens in 86,400 ssubjectno request yet$/);
});

test("a budget goes down as requests reserve, each model has its backend, and the cost follows", async () => {
  await choose("POST /chat", "/chat", []);
  await page.getByLabel("Caller").fill("ada");
  await ask(asks("small"), "200 OK");
  await row("200", "/chat", "forwarded, 1,234 + 5 tokens (usage)", "model small, region eu, backend gpu_small").waitFor();
  await budget().filter({ hasText: "ada, model small" }).filter({ hasText: "1,234 + 5 tokens (usage)" }).waitFor();
  const first = await remaining();
  assert.equal(first, 10000 - asks("small").length - 50);

  await ask(asks("large", "a longer text"), "200 OK");
  await row("200", "/chat", "forwarded, 1,234 + 5 tokens (usage)", "model large, region eu, backend gpu_large").waitFor();
  await budget().filter({ hasText: "ada, model large" }).filter({ hasText: "tokens, resets" }).waitFor();
  // The first request counts as what it has cost, and no longer as what it could cost.
  assert.equal(await remaining(), 10000 - 1239 - asks("large", "a longer text").length - 50);
  assert.equal(await row("/chat").count(), 2);
});

test("a refusal says what is left, and a request of somebody else replaces it", async () => {
  await ask(asks("small", "x".repeat(9000)), /^429/);
  await budget().filter({ hasText: "7,522 tokens, resets" }).filter({ hasText: "refused" }).waitFor();
  const json = { "content-type": "application/json" };
  const made = await fetch(`${dev.provider}/dev/tokens`, { method: "POST", headers: json, body: '{"subject": "bob"}' });
  const authorization = `Bearer ${(await made.json()).access_token}`;
  const sent = { method: "POST", headers: { ...json, authorization }, body: asks("small") };
  assert.equal((await fetch(`${dev.edge}/chat`, sent)).status, 200);
  await budget().filter({ hasText: "bob, model small" }).filter({ hasText: "tokens, resets" }).waitFor();
  assert.equal(await remaining(), 10000 - asks("small").length - 50);
});

test("wrong input is explained, and nothing is sent", async () => {
  await page.getByText("More about the caller").click();
  await page.getByLabel("Further claims (JSON)").fill("{");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("heading", { name: "not sent" }).waitFor();
  await page.getByLabel("Further claims (JSON)").fill("");
  await page.getByText("More about the caller").click();
  await page.getByLabel("Path and query").fill("https://evil.example/");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText("write a path of this edge").waitFor();
});

test("requests from a terminal appear, and their text is never HTML", async () => {
  const subject = '<img src=x onerror="alert(1)">';
  const made = await fetch(`${dev.provider}/dev/tokens`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ subject, scopes: ["orders:read"] }),
  });
  const { access_token: token } = await made.json();
  await fetch(`${dev.edge}/orders/77`, { headers: { authorization: `Bearer ${token}` } });
  await row("/orders/77", subject).waitFor();
  await fetch(`${dev.edge}/%3Cscript%3Ealert(1)%3C/script%3E`);
  await row("404").first().waitFor();
  assert.equal(await page.locator("#requests img, #requests script, #response img").count(), 0);
});

test("a fault of the policy appears with its remedy, and disappears when it is corrected", async () => {
  dev.breakApp();
  await problems().waitFor();
  assert.match(await problems().textContent(), /undeclared[\s\S]*→/);
  assert.match(await problems().textContent(), /former policy/);
  if (process.env.SCREENSHOTS) {
    await page.evaluate(() => scrollTo(0, 0));
    await page.screenshot({ path: `${process.env.SCREENSHOTS}/dev-page-fault.png` });
  }
  dev.repairApp();
  await problems().waitFor({ state: "hidden" });
});

test("an app that has ended is named, and an open page follows a session that is started again", async () => {
  const ended = page.getByRole("alert");
  dev.endApp();
  await ended.waitFor();
  assert.match(await ended.textContent(), /the app has ended \(exit code \d\).*change a file/);
  assert.equal((await fetch(`${dev.edge}/health`)).status, 503);
  await dev.restart();
  await ended.waitFor({ state: "hidden" });
  await page.getByText("connected", { exact: true }).waitFor();
  await fetch(`${dev.edge}/after-the-restart`);
  await row("404", "/after-the-restart").waitFor();
});

test("a page of another site reads and changes nothing", async () => {
  const site = createServer((_, response) => response.setHeader("content-type", "text/html").end("<p>another page</p>"));
  await new Promise((resolve) => site.listen(0, "127.0.0.1", resolve));
  const foreign = await browser.newPage();
  try {
    for (const host of ["127.0.0.1", "localhost"]) {
      await foreign.goto(`http://${host}:${site.address().port}/`);
      const read = await foreign.evaluate(async ({ edge, provider }) => {
        const json = { "content-type": "application/json" };
        const attempts = [
          () => fetch(`${edge}/__fastgate/state`),
          () => fetch(`${edge}/__fastgate/tokens/dev`, { method: "POST", headers: json, body: '{"subject":"ada"}' }),
          () => fetch(`${provider}/dev/tokens`, { method: "POST", headers: json, body: '{"subject":"ada"}' }),
          () => fetch(`${provider}/dev/token`, { method: "POST", body: new URLSearchParams({ grant_type: "client_credentials" }) }),
          () => import(`${edge}/__fastgate/page.js`),
          () => new Promise((resolve, reject) => Object.assign(new EventSource(`${edge}/__fastgate/events`), { onopen: resolve, onerror: reject })),
          () => new Promise((resolve, reject) => document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: `${edge}/__fastgate/page.css`, onload: resolve, onerror: reject }))),
        ];
        const results = await Promise.allSettled(attempts.map((attempt) => attempt()));
        return results.map(({ status }) => status);
      }, { edge: dev.edge, provider: dev.provider });
      assert.deepEqual(new Set(read), new Set(["rejected"]));
      await foreign.setContent(`<iframe src="${dev.edge}/__fastgate/"></iframe>`);
      const framed = foreign.frames().find((each) => each !== foreign.mainFrame());
      await foreign.waitForTimeout(200);
      assert.equal(await framed.locator("form").count(), 0);
    }
  } finally {
    await foreign.close();
    site.close();
  }
});

test("the browser has nothing to complain about", async () => {
  if (process.env.SCREENSHOTS) {
    await choose("GET /orders/{order_id}", "/orders/1", ["orders:read"]);
    await page.getByLabel("Caller").fill("ada");
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByRole("heading", { name: "200 OK" }).waitFor();
    await page.evaluate(() => scrollTo(0, 0));
    await page.screenshot({ path: `${process.env.SCREENSHOTS}/dev-page.png` });
  }
  assert.deepEqual(complaints, []);
  assert.notEqual(await status().textContent(), "");
});
