// Things to read beside products: guides, help pages, reviews.

import { get, language, productUrl, visitorId } from "./api.js";
import { stars } from "./card.js";
import { h } from "./dom.js";
import { t } from "./i18n.js";

export const readUrl = (pageId) => `/read/${encodeURIComponent(pageId)}`;

/** Pages and reviews about a product or, without one, for this shopper. */
export const content = (itemId = "", topK = 3) =>
  get("/v1/content", { item_id: itemId, visitor_id: visitorId, top_k: topK, language }).then((found) => found.readings, () => []);

const short = (text, n = 180) => (text.length <= n ? text : `${text.slice(0, n).replace(/\s+\S*$/, "")}…`);

function tile(one) {
  const page = one.kind === "page";
  return h(
    "a",
    { class: "reading", href: page ? readUrl(one.reading_id) : `${productUrl(one.item_id)}#reviews` },
    !page && one.rating && stars(one.rating),
    h("strong", null, one.title || t("product.reviews")),
    h("span", { class: "muted" }, short(one.text)),
    h("span", { class: "reason" }, h("span", null, one.reason.text)),
  );
}

/** A row of them; null when there is nothing to read. */
export function readingRow(title, readings, id) {
  if (!readings.length) return null;
  return h("section", { class: "row", id, "aria-label": title }, h("div", { class: "row-head" }, h("h2", null, title)), h("div", { class: "readings" }, readings.map(tile)));
}
