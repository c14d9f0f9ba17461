// Runs http-tests/cache-tests (https://cache-tests.fyi) through the real guest on Viceroy, on a `public` route or on one
// whose responses are stored for one `caller`, and writes the results as JSON: node run.mjs public results.json
//
// The server and the client of the suite run in this process. The client numbers its requests in the field `Req-Num`, which
// the server needs and which must not be part of the key; so the client notes the number here, and the server looks it up.

import { execFileSync, spawn } from "node:child_process";
import { generateKeyPairSync, sign } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { getResults, runTests } from "http-cache-tests/client/runner.mjs";
import handleConfig from "http-cache-tests/server/handle-config.mjs";
import handleState from "http-cache-tests/server/handle-state.mjs";
import handleTest from "http-cache-tests/server/handle-test.mjs";
import suites from "http-cache-tests/tests/index.mjs";
import fetch from "node-fetch";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** The request fields by which the responses of the suite differ. */
const VARY = ["foo", "bar", "baz", "accept", "accept-language", "accept-encoding", "abc"];
const TTL = 3600;

/** Starts the server of the suite. `numbers` has the number of the request that each test has sent last. */
async function startServer(numbers) {
  const handlers = { config: handleConfig, state: handleState, test: handleTest };
  const server = http.createServer((request, response) => {
    const [kind, ...rest] = new URL(request.url, "http://origin").pathname.slice(1).split("/");
    const number = numbers.get(rest[0]);
    if (kind === "test" && number !== undefined) request.headers["req-num"] = number;
    // The edge also looks here for the keys of the issuer, which are in its store.
    if (!(kind in handlers)) return response.writeHead(404).end();
    handlers[kind](rest, request, response);
  });
  // Node reads fewer fields, and closes connections that the suite keeps.
  server.keepAliveTimeout = 60_000;
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return server;
}

async function freePort() {
  const probe = createServer();
  await new Promise((listening) => probe.listen(0, "127.0.0.1", listening));
  const { port } = probe.address();
  await new Promise((closed) => probe.close(closed));
  return port;
}

const base64url = (value) => Buffer.from(value).toString("base64url");

/** An issuer whose keys are in the KV store, and a token of it. */
function issuer() {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const jwk = { ...publicKey.export({ format: "jwk" }), kid: "test", alg: "RS256", use: "sig" };
  const iss = "http://127.0.0.1:1";
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss, aud: "tests", sub: "caller", iat: now, exp: now + 3600 };
  const header = { alg: "RS256", typ: "at+jwt", kid: "test" };
  const message = [header, claims].map((part) => base64url(JSON.stringify(part))).join(".");
  const token = `${message}.${base64url(sign("sha256", Buffer.from(message), privateKey))}`;
  return { iss, token, keys: JSON.stringify({ issuer: iss, keys: [jwk] }) };
}

/** Starts an edge whose route has this access and audience; returns its address and how to stop it. */
async function startEdge(folder, origin, { iss, keys }, access, audience) {
  const port = await freePort();
  const policy = {
    edge: { issuer: `http://127.0.0.1:${port}`, hosts: ["127.0.0.1"] },
    origins: { app: { backend: "app", audience: "cache-tests" } },
    issuers: { test: { issuer: iss, backend: "app", audiences: ["tests"] } },
    routes: [
      {
        id: "tests",
        path: "/test/{rest:path}",
        methods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
        access,
        cache: { audience, ttl: TTL, vary: VARY },
      },
    ],
  };
  const tool = join(ROOT, "target/debug/fastgate-tool");
  const signing = execFileSync(tool, ["keys", "new"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  const manifest = `
[local_server.backends.app]
url = "http://127.0.0.1:${origin.address().port}"
[[local_server.kv_stores.fastgate]]
key = "policy"
data = ${JSON.stringify(JSON.stringify(policy))}
[[local_server.kv_stores.fastgate]]
key = "jwks/test"
data = ${JSON.stringify(keys)}
[[local_server.secret_stores.fastgate]]
key = "signing-keys"
data = ${JSON.stringify(signing)}
`;
  const path = join(folder, `${access}.toml`);
  writeFileSync(path, `manifest_version = 3\nname = "cache-tests"\nlanguage = "rust"\n${manifest}`);
  const guest = ["--wasm", "target/wasm32-wasip1/release/fastgate.wasm", "--compiled", "target/compiled"];
  const listen = [...guest, "--config", path, "--listen", `127.0.0.1:${port}`];
  const edge = spawn(join(ROOT, "target/debug/fastgate-edge"), listen, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((ready, failed) => {
    edge.on("exit", (code) => failed(new Error(`the edge ended with code ${code}`)));
    // The log of the edge has to be read, or the edge would wait.
    edge.stdout.on("data", (line) => String(line).includes("listening") && ready());
  });
  return { base: `http://127.0.0.1:${port}`, stop: () => edge.kill() };
}

/** The fetch of the suite: notes the number of each request, and adds the caller's token. */
function fetchThrough(origin, numbers, token) {
  const direct = `http://127.0.0.1:${origin.address().port}`;
  return (url, init = {}) => {
    const { pathname, search } = new URL(url);
    const [kind, test] = pathname.slice(1).split("/");
    if (kind !== "test") return fetch(`${direct}${pathname}${search}`, init);
    const headers = init.headers ?? [];
    const number = headers.find(([name]) => name.toLowerCase() === "req-num");
    if (number) numbers.set(test, number[1]);
    const own = headers.some(([name]) => name.toLowerCase() === "authorization");
    return fetch(url, { ...init, headers: token && !own ? [...headers, ["authorization", `Bearer ${token}`]] : headers });
  };
}

const [route, output] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "fastgate-cache-tests-"));
const numbers = new Map();
const origin = await startServer(numbers);
const known = issuer();
const access = route === "public" ? "public" : "authenticated";
const edge = await startEdge(folder, origin, known, access, route);
const token = route === "public" ? undefined : known.token;
await runTests(suites, fetchThrough(origin, numbers, token), false, edge.base);
const results = getResults();
writeFileSync(output, JSON.stringify(results, null, 1));
const failed = Object.values(results).filter((result) => result !== true).length;
console.log(`${route}: ${Object.keys(results).length} tests, ${failed} not passed`);
edge.stop();
rmSync(folder, { recursive: true });
process.exit(0);
