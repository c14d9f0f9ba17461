// Writes docs/reference/cache-tests.md from the results of run.mjs. Ends with 1 if a required test fails without a reason.

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import suites from "http-cache-tests/tests/index.mjs";

const PAGE = fileURLToPath(new URL("../../docs/reference/cache-tests.md", import.meta.url));
const ROUTES = ["public", "caller"];

/** Why tests do not pass, by the beginning of their ids; the first that fits counts. */
const REASONS = [
  [/^other-authorization/, "The edge evaluates `Authorization` and does not forward it, so the server of the suite misses it. Who shares a response is tested in `tests/edge/caching/sharing.rs`"],
  [/[sS]et-[cC]ookie/, "A response that sets a cookie is never stored"],
  [/^stale-close/, "Depends on `stale-close`: the route does not declare `stale_if_error`, so the response is a 502 of the edge, which the suite cannot count"],
  [/^(stale|stale-sie)-(503|close)|^stale-/, "The route does not declare `stale_if_error`. What is sent with it is tested in `tests/edge/caching/outage.rs`"],
  [/M-SEARCH/, "A route cannot accept the method `M-SEARCH`"],
  [/^age-parse-prefix$/, "An `Age` that is not a single number makes the response stale; RFC 9111 §5.1 would use the first"],
  [/^method-POST/, "Only responses to GET are stored, and those of models"],
  [/^status-50\d-fresh/, "A failure of the origin is never stored"],
  [/^partial-/, "A part is never stored; a request for a range that is not stored gets the whole response"],
  [/^heuristic-|^freshness-none/, "Without a lifetime by the origin, only responses with a status that describes the resource are stored, for the declared `ttl`; there are no heuristics"],
  [/^vary-normalise/, "The declared request fields are compared byte for byte"],
  [/^ccreq-/, "A client's `Cache-Control` has no effect: otherwise each caller could send every request to the origin"],
  [/^head-/, "A response to HEAD changes nothing that is stored"],
  [/^headers-omit-headers-listed/, "`no-cache` with field names counts as one without: every use is validated"],
  [/^conditional-lm-fresh-no-lm/, "A response without `Last-Modified` is not compared with the time at which it was stored"],
  [/^freshness-|^conditional-etag-/, "Malformed values are read strictly, so that the response is rather stale, or sent whole"],
];

const reason = (id) => REASONS.find(([pattern]) => pattern.test(id))?.[1];
const results = ROUTES.map((route) => JSON.parse(readFileSync(process.argv[2 + ROUTES.indexOf(route)])));
const kind = (test) => test.kind ?? "required";
const passes = (test, number) => results[number][test.id] === true;
const known = suites.map((suite) => ({ ...suite, tests: suite.tests.filter((test) => test.id in results[0]) }));
const cell = (tests, number) => (tests.length ? `${tests.filter((test) => passes(test, number)).length}/${tests.length}` : "");

const rows = known.map((suite) => {
  const of = (name) => suite.tests.filter((test) => kind(test) === name);
  const cells = ["required", "optimal", "check"].flatMap((name) => ROUTES.map((_, number) => cell(of(name), number)));
  return `| \`${suite.id}\` | ${cells.join(" | ")} |`;
});
const all = known.flatMap((suite) => suite.tests.map((test) => ({ ...test, suite: suite.id })));
const failing = (name) => all.filter((test) => kind(test) === name && ROUTES.some((_, number) => !passes(test, number)));
const listed = (name) => {
  const byReason = Map.groupBy ? Map.groupBy(failing(name), ({ id }) => reason(id)) : grouped(failing(name));
  return [...byReason].map(([why, tests]) => `- ${tests.map(({ id }) => `\`${id}\``).join(", ")}: ${lower(why ?? "**no reason is known**")}.`);
};
const lower = (text) => (/^[A-Z][a-z]/.test(text) ? text[0].toLowerCase() + text.slice(1) : text);
function grouped(tests) {
  const found = new Map();
  for (const test of tests) found.set(reason(test.id), [...(found.get(reason(test.id)) ?? []), test]);
  return found;
}
const differing = all.filter((test) => passes(test, 0) !== passes(test, 1));

writeFileSync(PAGE, `# An independent test of the cache

For operators: what [http-tests/cache-tests](https://cache-tests.fyi/) says about stored responses. \`make cache-tests\` wrote this
page: the suite ran through the guest on Viceroy, on a public route (\`"audience": "public"\`) and on a route that stores
for one caller (\`"audience": "caller"\`), both with \`ttl\` 3600 and the request fields of the suite in \`vary\`.

Tests are *required* (a requirement of RFC 9111), *optimal* (better caching) or a *check* of a behaviour that is left open.
${differing.length === 0 ? "Both routes pass the same tests." : `The routes differ in ${differing.map(({ id }) => `\`${id}\``).join(", ")}.`}

| group | required, public | caller | optimal, public | caller | check, public | caller |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
${rows.join("\n")}

## Required tests that do not pass

${listed("required").join("\n")}

## Optimal tests that do not pass

${listed("optimal").join("\n")}

## Checks that are answered with no

${listed("check").join("\n")}
`);
const unexplained = all.filter((test) => ROUTES.some((_, number) => !passes(test, number)) && !reason(test.id));
const required = failing("required").length;
console.log(`${all.length} tests; ${required} required ones do not pass; ${unexplained.length} without a reason`);
for (const { id } of unexplained) console.log(`  ${id}: ${JSON.stringify(results.map((result) => result[id]))}`);
process.exit(unexplained.length > 0 || required > 10 ? 1 : 0);
