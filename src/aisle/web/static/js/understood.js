// What the engine made of the shopper's words, said back.

import { fill, h, icon } from "./dom.js";
import { fieldName, money, shopCurrency, t, valueName } from "./i18n.js";

const MILD = new Set(["category", "attribute"]); // these only lift, even when they are sure
const SURE = 0.9;

/** "Colour: Red", "Under $60". */
export function understoodName(part) {
  // "under $60" is understood as at most 59.99
  const brief = (amount) => money(Math.round(amount * 100) % 100 === 99 && part.kind ? amount + 0.01 : amount, shopCurrency, { short: true });
  if (part.low !== null && part.high !== null && part.field === "price") return t("price.between", { low: brief(part.low), high: brief(part.high) });
  if (part.field === "price" && part.high !== null) return t("price.under", { price: brief(part.high) });
  if (part.field === "price" && part.low !== null) return t("price.over", { price: brief(part.low) });
  // "for men" means what is for everyone too; the chip says what was said
  const said = part.kind === "gender" ? part.values.slice(0, 1) : part.values;
  const values = said.map((value) => (part.field === "product_type" ? value.split(" > ").at(-1) : valueName(part.field, value)));
  return `${fieldName(part.field || part.kind)}: ${values.join(", ") || part.text}`;
}

export function chip(kind, label, hint, sign, run) {
  return h("button", { class: `pill ${kind}`, type: "button", "aria-label": hint, on: { click: run } }, h("span", null, label), icon(sign));
}

/** What was done to the search that the shopper did not ask for. */
export function drawNote(target, answer, query) {
  const parts = [];
  if (answer.corrected && answer.corrected !== query) parts.push(t("search.corrected", { corrected: answer.corrected }));
  // surely understood and yet no filter: nothing would have been left
  const relaxed = answer.understood.filter((part) => !part.hard && !MILD.has(part.kind) && part.confidence >= SURE);
  if (relaxed.length && answer.n_hits) parts.push(t("search.relaxed", { label: relaxed.map(understoodName).join(", ") }));
  fill(target, icon("info"), h("span", null, parts.join(" ")));
  target.hidden = parts.length === 0;
}
