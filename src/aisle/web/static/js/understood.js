// What the engine made of the shopper's words, said back, and what it answers beside products.

import { categoryUrl } from "./api.js";
import { fill, h, icon } from "./dom.js";
import { dateText, fieldName, has, money, shopCurrency, t, valueName } from "./i18n.js";
import { readUrl } from "./reading.js";

const LIFTS = new Set(["gender", "age", "brand", "material"]); // worth saying though they filter nothing
const SURE = 0.6;

/** "Colour: Red", "Under $60", "Cheapest first", "Without: hood". */
export function understoodName(part) {
  // "under $60" is understood as at most 59.99, "over $20" as at least 20.01
  const brief = (amount) => {
    const cents = Math.round(amount * 100) % 100;
    return money(part.kind && cents === 99 ? amount + 0.01 : part.kind && cents === 1 ? amount - 0.01 : amount, shopCurrency, { short: true });
  };
  if (part.low !== null && part.high !== null && part.field === "price") return t("price.between", { low: brief(part.low), high: brief(part.high) });
  if (part.field === "price" && part.high !== null) return t("price.under", { price: brief(part.high) });
  if (part.field === "price" && part.low !== null) return t("price.over", { price: brief(part.low) });
  if (part.kind === "sort" && has(`chip.sort.${part.values[0]}`)) return t(`chip.sort.${part.values[0]}`);
  if (part.kind === "sale") return t("chip.sale");
  if (part.kind === "item") return t("chip.item", { id: part.values[0] });
  if (part.kind === "word") return t("chip.without", { label: part.values.join(" ") });
  // "for men" means what is for everyone too; the chip says what was said
  const said = part.kind === "gender" ? part.values.slice(0, 1) : part.values;
  const values = said.map((value) => (part.field === "product_type" ? value.split(" > ").at(-1) : valueName(part.field, value)));
  const label = [...new Set(values)].slice(0, 4).join(", ") || part.text;
  return part.exclude ? t("chip.not", { label }) : `${fieldName(part.field || part.kind)}: ${label}`;
}

/** What is shown as understood: what filters, orders or leaves out, and a few things that only lift. */
export const worthSaying = (part) => part.hard || part.kind === "sort" || (LIFTS.has(part.kind) && part.confidence >= SURE && !part.exclude);

/** What the shopper came for beside products, where something answers it: then it can be taken back; else "". */
export function askedName(answer) {
  const name = `chip.intent.${answer?.intent?.kind}`;
  return answer?.answers.length && has(name) ? t(name) : "";
}

/** What to send to take a part back: its kind alone where there is one of it. */
export const ignoreName = (part, all) => (all.filter((one) => one.kind === part.kind).length > 1 ? part.ignore : part.kind);

/** A part that was taken back, by what was sent for it. */
export function ignoredName(name) {
  const [kind, ...words] = name.split(":");
  if (words.length) return words.join(":");
  if (kind === "spelling") return t("chip.spelling");
  return { sale: () => t("chip.sale"), intent: () => t("chip.intent"), sort: () => t("sort") }[kind]?.() ?? fieldName({ category: "product_type", age: "age_group" }[kind] || kind);
}

export function chip(kind, label, hint, sign, run) {
  return h("button", { class: `pill ${kind}`, type: "button", "aria-label": hint, on: { click: run } }, h("span", null, label), icon(sign));
}

/** What was done to the search that the shopper did not ask for; `asTyped` undoes the spelling. */
export function drawNote(target, answer, query, asTyped) {
  const parts = [];
  if (answer.corrected && answer.corrected !== query) {
    const undo = h("button", { class: "link-button", type: "button", id: "search-instead", on: { click: asTyped } }, t("search.instead", { query }));
    parts.push(h("span", null, t("search.corrected", { corrected: answer.corrected }), " ", undo));
  }
  if (answer.given_up.length && answer.n_hits) parts.push(h("span", null, t("search.given_up", { label: answer.given_up.map(understoodName).join(", ") })));
  fill(target, icon("info"), h("span", { class: "note-lines" }, parts));
  target.hidden = parts.length === 0;
}

const DRAWN = {
  promotion: (one) => [
    h("h2", null, icon("tag"), h("span", null, one.title)),
    one.text && h("p", null, one.text),
    (one.coupon_code || one.ends_ms > 0) &&
      h("p", { class: "muted small" }, [one.coupon_code && h("strong", { class: "code" }, t("answer.code", { code: one.coupon_code })), one.ends_ms > 0 && ` ${t("answer.until", { date: dateText(one.ends_ms) })}`]),
  ],
  page: (one) => [
    h("h2", null, h("a", { href: readUrl(one.target) }, one.title)),
    one.text && h("p", null, one.text),
    h("a", { class: "small", href: readUrl(one.target) }, t("answer.read")),
  ],
  category: (one) => [h("a", { class: "pill", href: categoryUrl(one.target) }, h("span", null, t("answer.category", { name: one.target.split(" > ").join(" › ") })))],
};

/** Offers, pages and categories above the products. */
export function drawAnswers(target, answers) {
  fill(target, answers.map((one) => h("li", { class: `answer answer-${one.kind}` }, DRAWN[one.kind](one))));
  target.hidden = answers.length === 0;
}
