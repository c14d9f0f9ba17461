// The page of `fastgate dev` in front of an MCP server: what the use of its tools and resources costs.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startBrowser, startDev } from "./start.mjs";

const APP = `
from contextlib import asynccontextmanager
from fastapi import FastAPI
from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from fastgate import Mcp, Settings, at_edge, guard, tool_rule

server = MCPServer("orders")


@server.tool(meta=tool_rule(budgets={"daily": 5, "tried": 6}))
def export() -> str:
    return "exported"


@server.resource("orders://{order_id}", meta=tool_rule(budgets={"daily": 7}))
def order(order_id: str) -> str:
    return f"order {order_id}"


@asynccontextmanager
async def lifespan(_):
    async with server.session_manager.run():
        yield


app = FastAPI(openapi_url=None, lifespan=lifespan)
hosts = TransportSecuritySettings(enable_dns_rebinding_protection=False)
tools = server.streamable_http_app(stateless_http=True, json_response=True, transport_security=hosts)
app.mount("/", at_edge(access="authenticated", mcp=Mcp())(tools))
guard(app, Settings(edge="https://api.example.com", audience="orders"))
`;

const BASE = {
  budgets: {
    daily: { tokens: 100, window: 86400, by: ["subject"] },
    tried: { micros: 10, window: 86400, by: ["subject"], shadow: true },
  },
};

let dev, browser, page;
const complaints = [];

before(async () => {
  [dev, browser] = await Promise.all([startDev(APP, BASE), startBrowser()]);
  page = await browser.newPage();
  page.setDefaultTimeout(20_000);
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(`${dev.edge}/__fastgate/`);
  await page.getByText("connected", { exact: true }).waitFor();
});

after(async () => {
  await browser?.close();
  await dev?.stop();
});

const budget = (name) => page.getByRole("region", { name: "Budgets" }).getByRole("row", { name: new RegExp(`^${name}`) });
const shows = (name, ...texts) => texts.reduce((rows, hasText) => rows.filter({ hasText }), budget(name)).waitFor();

async function use(method, params) {
  const json = { "content-type": "application/json" };
  const made = await fetch(`${dev.provider}/dev/tokens`, { method: "POST", headers: json, body: '{"subject": "rob"}' });
  const fields = {
    ...json,
    authorization: `Bearer ${(await made.json()).access_token}`,
    accept: "application/json, text/event-stream",
    "mcp-protocol-version": "2025-11-25",
  };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
  return (await fetch(`${dev.edge}/mcp`, { method: "POST", headers: fields, body })).status;
}

test("a use names the tool and what it cost, each budget in its units", async () => {
  assert.equal(await use("tools/call", { name: "export" }), 200);
  await shows("daily", "rob, tools/call export", "95 tokens, resets", "5 tokens (use)");
  await shows("tried", "rob, tools/call export", "4 micros, resets", "6 micros (use)");
  await page.locator("#requests tbody tr").filter({ hasText: "forwarded, 5 of daily, 6 of tried (use)" }).waitFor();
  assert.equal(await page.getByText("undefined").count(), 0);
});

test("a budget in shadow says that it would have refused", async () => {
  assert.equal(await use("tools/call", { name: "export" }), 200);
  await shows("daily", "90 tokens, resets", "5 tokens (use)");
  await shows("tried", "4 micros, resets", "nothing is counted; without shadow it is refused (budget-exceeded)");
});

test("a resource that matches a template is shown", async () => {
  assert.equal(await use("resources/read", { uri: "orders://7" }), 200);
  await shows("daily", "rob, resources/read orders://7", "83 tokens, resets", "7 tokens (use)");
  assert.deepEqual(complaints, []);
});
