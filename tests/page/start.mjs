// Starts `fastgate dev` on a small app, and a browser that is installed on this machine.

import { spawn, execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const DEADLINE = 90_000; // the first start after a build compiles the guest

export const APP = `
from typing import Annotated
from fastapi import FastAPI, Security
from fastgate import Caller, Inference, Settings, at_edge, fastgate, guard

app = FastAPI(openapi_url=None)
guard(app, Settings(edge="https://api.example.com", audience="orders"))
Orders = Annotated[Caller, Security(fastgate, scopes=["orders:read"])]


@app.get("/orders/{order_id}")
def order(order_id: int, caller: Orders) -> dict[str, object]:
    return {"order": order_id, "for": caller.subject, "note": "<img src=x onerror=alert(1)>"}


@app.post("/orders")
def create(order: dict[str, object], caller: Annotated[Caller, Security(fastgate, scopes=["orders:write"])]) -> object:
    return order


@app.get("/health")
@at_edge(access="public")
def health() -> str:
    return "well"


@app.post("/chat")
@at_edge(access="authenticated", inference=Inference({"small": None, "large": None}, max_tokens=100, budgets=["daily"]))
def chat() -> dict[str, object]:
    return {"choices": [], "usage": {"prompt_tokens": 1234, "completion_tokens": 5}}
`;

// All backends are the app. Each model has its own, and `web` gets the requests that are for no model.
const BASE = {
  budgets: { daily: { tokens: 10000, window: 86400, by: ["subject"] } },
  origins: {
    orders: {
      audience: "orders",
      backends: {
        gpu_small: { region: "eu", models: ["small"] },
        gpu_large: { region: "eu", models: ["large"] },
        web: { region: "eu", priority: 2 },
      },
      regions: { eu: {} },
      selection: { default_region: "eu" },
    },
  },
};

const FAULT = `

@app.get("/undeclared")
def undeclared() -> str:
    return "open"
`;

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

export async function until(condition, what) {
  const end = Date.now() + DEADLINE;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(what());
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Starts it with an app and a base of its policy. */
export async function startDev(appText = APP, base = BASE) {
  const folder = mkdtempSync(join(tmpdir(), "fastgate-page-"));
  const write = (text) => writeFileSync(join(folder, "main.py"), text);
  write(appText);
  mkdirSync(join(folder, "edge"));
  writeFileSync(join(folder, "edge", "policy.base.json"), JSON.stringify(base));
  const [port, app, provider] = [await freePort(), await freePort(), await freePort()];
  const paths = ["origin/src", "wheel/src"].map((each) => join(ROOT, each)).join(delimiter);
  const options = ["--port", port, "--app-port", app, "--provider-port", provider].map(String);
  let child;
  async function start() {
    child = spawn(process.env.PYTHON ?? join(ROOT, ".venv/bin/python"), ["-m", "fastgate", "dev", ...options], {
      cwd: folder,
      env: { ...process.env, PYTHONPATH: paths },
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += data));
    await until(() => output.includes("in force") || child.exitCode !== null, () => output);
    if (child.exitCode !== null) throw new Error(output);
  }
  async function end() {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await ended;
  }
  await start();
  return {
    edge: `http://127.0.0.1:${port}`,
    provider: `http://127.0.0.1:${provider}`,
    breakApp: () => write(appText + FAULT),
    repairApp: () => write(appText),
    endApp: () => write(`${appText}\n\n@app.on_event("startup")\ndef fails() -> None:\n    raise RuntimeError("no database")\n`),
    async restart() {
      await end();
      write(appText);
      await start();
    },
    async stop() {
      await end();
      rmSync(folder, { recursive: true });
    },
  };
}

function browserPath() {
  const named = process.env.CHROMIUM;
  if (named) return named;
  for (const name of ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]) {
    try {
      return execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
    } catch {
      // the next one
    }
  }
  throw new Error("there is no Chromium: install it (Debian: apt-get install chromium), or set CHROMIUM=/path/of/it");
}

export function startBrowser() {
  return chromium.launch({
    executablePath: browserPath(),
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"],
  });
}
