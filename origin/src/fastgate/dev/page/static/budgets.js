// The budgets of the policy, and for each of them the request that was counted last: whose it was, what was left after the
// edge had reserved what it can cost, and what it cost. Input: the state, and the edge's log.

import { element } from "./elements.js";

const grouped = (number) => number.toLocaleString("en");

/** What a request cost, as text. */
export function costOf({ settled, input_tokens: input, output_tokens: output, micros }) {
  if (input === undefined) return settled; // a use of an MCP server costs what the policy says
  const money = micros === undefined ? "" : `, ${grouped(micros)} micros`;
  return `${grouped(input)} + ${grouped(output)} tokens${money} (${settled})`;
}

const keyPart = (part) => (typeof part === "string" ? part : `claim ${[part.claim].flat().join(".")}`);

/** The names of the budgets that a request was counted against, as far as the log and the policy tell. */
function budgetsOf(request, route) {
  const [, name] = request.mcp?.match(/^\S+ (.+)$/) ?? [];
  const entries = ["tools", "resources", "prompts"].map((kind) => route?.mcp?.[kind]?.[name]);
  return [...(route?.inference?.budgets ?? []), ...entries.flatMap((entry) => Object.keys(entry?.budgets ?? {}))];
}

export class BudgetTable {
  #section;
  #budgets = {};
  #routes = [];
  #last = new Map(); // the last request of each budget, and what it cost

  constructor(section) {
    this.#section = section;
  }

  /** The policy in force. */
  inForce(budgets, routes) {
    [this.#budgets, this.#routes] = [budgets, routes];
    this.#show();
  }

  /** A request, as it is in the log: counted, or refused by a budget, which the cause names. */
  reserved(request) {
    if (!request.steps.some(([step]) => step === "budget")) return;
    const isRefused = request.verdict.startsWith("budget-");
    for (const name of budgetsOf(request, this.#routes.find(({ id }) => id === request.route))) {
      if (!isRefused || request.cause?.includes(`budget "${name}"`)) this.#last.set(name, { request, isRefused });
    }
    this.#show();
  }

  /** What a request cost, as it is in the log, after the line of the request. */
  settled(settlement) {
    for (const last of this.#last.values()) {
      if (last.request.request_id === settlement.request_id) last.cost = costOf(settlement);
    }
    this.#show();
  }

  #show() {
    const budgets = Object.entries(this.#budgets);
    this.#section.hidden = budgets.length === 0;
    this.#section.querySelector("tbody").replaceChildren(...budgets.map(([name, budget]) => this.#row(name, budget)));
  }

  #row(name, { tokens, micros, window, by }) {
    const unit = tokens === undefined ? "micros" : "tokens";
    const title = element("th", name);
    title.scope = "row";
    const row = document.createElement("tr");
    row.append(
      title,
      element("td", `${grouped(tokens ?? micros)} ${unit} in ${grouped(window)} s`),
      element("td", by.map(keyPart).join(", ")),
      ...this.#lastRequest(name, unit),
    );
    return row;
  }

  #lastRequest(name, unit) {
    const last = this.#last.get(name);
    if (!last) return ["no request yet", "", ""].map((text) => element("td", text));
    const { request, isRefused, cost = isRefused ? "refused" : "not known yet" } = last;
    const known = request.budgets?.find((each) => each.name === name);
    const left = known && `${grouped(known.left)} ${unit}, resets in ${grouped(known.resets_in)} s`;
    return [
      element("td", `${request.subject ?? "anonymous"}, model ${request.model}`),
      element("td", left ?? "not known: its count could not be read"),
      element("td", cost),
    ];
  }
}
