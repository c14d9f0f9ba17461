// The budgets of the policy, and for each of them the request that was counted last: whose it was, what was left after the
// edge had reserved what it can cost, and what it cost. Input: the state, and the edge's log.

import { element } from "./elements.js";

const grouped = (number) => number.toLocaleString("en");

/** What a request cost, as text. */
export function costOf({ settled, input_tokens: input, output_tokens: output, micros, budgets = [] }) {
  if (input === undefined) {
    // A use of an MCP server costs what the policy says.
    const costs = budgets.map(({ name, units }) => `${grouped(units)} of ${name}`);
    return costs.length ? `${costs.join(", ")} (${settled})` : settled;
  }
  const money = micros === undefined ? "" : `, ${grouped(micros)} micros`;
  return `${grouped(input)} + ${grouped(output)} tokens${money} (${settled})`;
}

const keyPart = (part) => (typeof part === "string" ? part : `claim ${[part.claim].flat().join(".")}`);

/** What was left of a budget; `code` is that of the refusal, if there was or would have been one. */
function leftOf({ left, resets_in: resets }, unit, code) {
  if (left !== undefined) return `${grouped(left)} ${unit}, resets in ${grouped(resets)} s`;
  return code === "budget-too-small" ? "the request can cost more than the whole budget" : "not known: its count could not be read";
}

export class BudgetTable {
  #section;
  #budgets = {};
  #last = new Map(); // the last request of each budget, what was left, and what it cost

  constructor(section) {
    this.#section = section;
  }

  /** The budgets of the policy in force. */
  inForce(budgets) {
    this.#budgets = budgets;
    this.#show();
  }

  /** A request, as it is in the log, which names the budgets that it was counted against, or the one that refused it. */
  reserved(request) {
    for (const known of request.budgets ?? []) this.#last.set(known.name, { request, known });
    this.#show();
  }

  /** What a request cost, as it is in the log, after the line of the request. */
  settled(settlement) {
    for (const last of this.#last.values()) {
      if (last.request.request_id === settlement.request_id) last.settlement = settlement;
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
    const { request, known } = last;
    const used = request.mcp ?? (request.model === undefined ? undefined : `model ${request.model}`);
    return [
      element("td", [request.subject ?? "anonymous", used].filter((each) => each !== undefined).join(", ")),
      element("td", leftOf(known, unit, known.would_refuse ?? request.verdict)),
      element("td", this.#costOf(name, unit, last)),
    ];
  }

  #costOf(name, unit, { request, known, settlement }) {
    if (known.would_refuse) return `nothing is counted; without shadow it is refused (${known.would_refuse})`;
    if (request.verdict.startsWith("budget-")) return "refused";
    const counted = settlement?.budgets?.find((each) => each.name === name);
    if (counted) return `${grouped(counted.units)} ${unit} (${settlement.settled})`;
    return settlement ? costOf(settlement) : "not known yet";
  }
}
