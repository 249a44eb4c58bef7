// A product's card, and rows and grids of cards.

import { productUrl } from "./api.js";
import { noteViewed } from "./cart.js";
import { colorOf } from "./colors.js";
import { emphasised, h, icon, photo } from "./dom.js";
import { selected, watch } from "./events.js";
import { whyButton } from "./why.js";
import { money, moneyText, number, parseMoney, t, tn, valueName } from "./i18n.js";

const DOTS = 5;

/** Price as a shopper reads it: what to pay now, what it was, "from" when variants differ. */
export function price(product) {
  const full = parseMoney(product.price);
  const sale = parseMoney(product.sale_price);
  const high = parseMoney(product.price_high);
  if (!full && !sale) return null;
  const now = sale || full;
  const onSale = Boolean(sale && full && sale.amount < full.amount);
  let text = money(now.amount, now.currency);
  if (high && high.amount > now.amount && !onSale) text = t("price.from", { price: text });
  return h(
    "span",
    { class: onSale ? "price on-sale" : "price" },
    h("span", { class: "now" }, onSale && h("span", { class: "sr" }, t("price.now", { price: "" })), text),
    onSale && h("s", { "aria-label": t("price.was", { price: moneyText(product.price) }) }, moneyText(product.price)),
  );
}

export function stars(rating) {
  return h("span", {
    class: "stars",
    role: "img",
    "aria-label": t("rating.label", { rating: number(Math.round(rating * 10) / 10) }),
    vars: { "--fill": `${(rating / 5) * 100}%` },
  });
}

export function rating(product) {
  if (!product.rating || !product.n_reviews) return null;
  return h("span", { class: "rating" }, stars(product.rating), h("span", { "aria-label": tn("n_reviews", product.n_reviews) }, `(${number(product.n_reviews)})`));
}

export function dot(color) {
  const css = colorOf(color);
  return css ? h("span", { class: "dot", vars: { "--c": css }, title: valueName("color", color) }) : null;
}

function dots(colors) {
  const shown = (colors || []).filter(colorOf);
  if (shown.length < 2) return null;
  return h(
    "span",
    { class: "dots", role: "img", "aria-label": t("colors.label", { list: shown.map((c) => valueName("color", c)).join(", ") }) },
    shown.slice(0, DOTS).map(dot),
    shown.length > DOTS && h("span", null, t("colors.more", { n: shown.length - DOTS })),
  );
}

function tag(product) {
  if (product.availability === "out_of_stock") return h("span", { class: "tag plain" }, t("sold_out"));
  const full = parseMoney(product.price);
  const sale = parseMoney(product.sale_price);
  const off = full && sale ? Math.round((1 - sale.amount / full.amount) * 100) : 0;
  return off >= 5 ? h("span", { class: "tag" }, t("sale.off", { n: off })) : null;
}

// that a search's hits match the search is seen without being told
const PLAIN = new Set(["matches_query", "matches_price", "matches_category", "matches_attribute"]);

const reasonOf = (product) => (product.reasons || []).find((r) => r.text && !PLAIN.has(r.kind));

/** `list`: {id, name, query} of the answer the product stands in; `reason: false` hides why. */
export function card(product, list, { eager = false, reason = true, heading = "h3" } = {}) {
  const source = { listId: list.id, listName: list.name, query: list.query, item: product.item_id, index: product.position };
  const why = reason && reasonOf(product);
  const choose = () => {
    noteViewed({ item_id: product.item_id, group_id: product.group_id, title: product.title, image_link: product.image_link });
    selected(source);
  };
  const title = product.highlights?.title ? emphasised(product.highlights.title) : product.title;
  const element = h(
    "article",
    { class: "card", dataset: { item: product.item_id, group: product.group_id } },
    photo(product.image_link, "", { eager, missing: t("no_photo") }),
    tag(product),
    h(
      "div",
      { class: "card-text" },
      h(heading, { class: "card-title" }, h("a", { href: productUrl(product.item_id), on: { click: () => list.id && choose() } }, title)),
      price(product),
      rating(product),
      dots(product.colors),
      why && h("p", { class: "reason" }, icon("spark"), h("span", null, capital(why.text))),
    ),
  );
  if (list.id) {
    element.append(whyButton(product, list, element));
    watch(element, source);
  }
  return element;
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

export function ghosts(n) {
  return Array.from({ length: n }, () =>
    h("div", { class: "card ghost", "aria-hidden": "true" }, h("span", { class: "photo" }), h("span", { class: "ghost-line" }), h("span", { class: "ghost-line" })),
  );
}

/** The one reason that all hits share, to be said once instead of on every card; "" when they differ. */
function shared(hits) {
  const said = new Set(hits.map((hit) => reasonOf(hit)?.text || ""));
  return hits.length > 1 && said.size === 1 ? capital([...said][0]) : "";
}

/**
 * A titled row that scrolls sideways. `hits` are cards' products; `reason` is where their reasons go:
 * "card", "row" (said once under the title when all are the same), or "" (the title says it already).
 */
export function row(title, hits, list, { id = "", reason = "card", children = null, small = false } = {}) {
  const same = reason === "row" ? shared(hits) : "";
  const note = same.toLowerCase() === title.toLowerCase() ? "" : same;
  const rail = h("div", { class: small ? "rail small" : "rail" }, children || hits.map((hit) => card(hit, list, { reason: Boolean(reason) && !same })));
  const step = (direction) => () => rail.scrollBy({ left: direction * rail.clientWidth * 0.8, behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  const back = h("button", { class: "icon-button", type: "button", "aria-label": t("row.prev"), on: { click: step(-1) } }, icon("prev"));
  const on = h("button", { class: "icon-button", type: "button", "aria-label": t("row.next"), on: { click: step(1) } }, icon("next"));
  const tools = h("div", { class: "row-tools" }, back, on);
  const update = () => {
    back.disabled = rail.scrollLeft < 8;
    on.disabled = rail.scrollLeft + rail.clientWidth > rail.scrollWidth - 8;
    tools.hidden = back.disabled && on.disabled;
  };
  rail.addEventListener("scroll", update, { passive: true });
  new ResizeObserver(update).observe(rail);
  return h(
    "section",
    { class: "row", id: id || null, dataset: { list: list.name }, "aria-label": title },
    h("div", { class: "row-head" }, h("div", null, h("h2", null, title), note && h("p", null, note)), tools),
    rail,
  );
}
