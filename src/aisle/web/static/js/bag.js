// The bag.

import "./header.js";
import { get, productUrl, recommend } from "./api.js";
import { row } from "./card.js";
import * as cart from "./cart.js";
import { $, fill, h, icon, photo, toast } from "./dom.js";
import { settled, track } from "./events.js";
import { money, number, t } from "./i18n.js";

let offers = [];

function change(line, quantity) {
  const name = quantity > line.quantity ? "add_to_cart" : "remove_from_cart";
  cart.setQuantity(line.item_id, quantity);
  track(name, { listId: line.list_id, value: line.price ?? undefined, items: [{ item_id: line.item_id, price: line.price, quantity: 1, item_list_id: line.list_name }] });
  draw();
}

function take(line) {
  cart.remove(line.item_id);
  const items = [{ item_id: line.item_id, price: line.price, quantity: line.quantity, item_list_id: line.list_name }];
  const value = line.price === null ? undefined : line.price * line.quantity;
  track("remove_from_cart", { listId: line.list_id, value, items });
  toast(t("cart.removed", { title: line.title }), {
    label: t("cart.undo"),
    run() {
      cart.add(line);
      track("add_to_cart", { listId: line.list_id, value, items });
      draw();
      addOns();
    },
  });
  draw();
  addOns();
}

function stepper(line) {
  const button = (sign, key, to) =>
    h("button", { class: "icon-button", type: "button", id: `${sign}-${line.item_id}`, "aria-label": t(key, { title: line.title }), disabled: to < 1 || to > 99, on: { click: () => change(line, to) } }, icon(sign));
  return h("div", { class: "stepper" }, button("minus", "cart.fewer", line.quantity - 1), h("span", { class: "num", "aria-label": `${t("product.quantity")}: ${line.quantity}` }, number(line.quantity)), button("plus", "cart.more", line.quantity + 1));
}

function drawLine(line) {
  const sum = line.price === null ? "" : money(line.price * line.quantity, line.currency);
  return h(
    "li",
    { class: "line", dataset: { item: line.item_id } },
    h("a", { href: productUrl(line.item_id), tabindex: "-1", "aria-hidden": "true" }, photo(line.image_link, "")),
    h(
      "div",
      { class: "line-text" },
      h("a", { href: productUrl(line.item_id) }, line.title),
      line.option && h("span", { class: "muted small" }, line.option),
      line.quantity > 1 && line.price !== null && h("span", { class: "muted small num" }, t("cart.each", { price: money(line.price, line.currency) })),
      h("div", { class: "line-tools" }, stepper(line), h("button", { class: "link-button small", type: "button", "aria-label": t("cart.remove_named", { title: line.title }), on: { click: () => take(line) } }, t("cart.remove"))),
    ),
    h("span", { class: "price" }, sum),
  );
}

function summary(all) {
  const currency = all[0].currency;
  const total = money(cart.total(), currency);
  return h(
    "aside",
    { class: "panel", "aria-label": t("cart.summary") },
    h("h2", null, t("cart.summary")),
    h(
      "dl",
      { class: "sums num" },
      h("dt", null, t("cart.subtotal")), h("dd", null, total),
      h("dt", null, t("cart.shipping")), h("dd", null, t("cart.free")),
      h("dt", { class: "total" }, t("cart.total")), h("dd", { class: "total" }, total),
    ),
    h("a", { class: "button big block", href: "/checkout", id: "go-checkout" }, t("cart.checkout")),
    offers.length > 0 &&
      h("ul", { class: "offer" }, offers.slice(0, 4).map((one) => h("li", null, one.name, one.coupon_code && ` (${t("cart.code", { code: one.coupon_code })})`))),
  );
}

function draw() {
  const focused = document.activeElement?.id;
  const all = cart.lines();
  if (!all.length) {
    return fill($("bag"), h("div", { class: "empty" }, h("h1", null, t("cart.empty")), h("p", { class: "muted" }, t("cart.empty_help")), h("a", { class: "button", href: "/search" }, t("home.browse"))));
  }
  fill($("bag"), h("div", { class: "bag" }, h("section", null, h("h1", null, t("cart.title")), h("ul", null, all.map(drawLine))), summary(all)));
  if (focused) $(focused)?.focus({ preventScroll: true });
  return null;
}

async function addOns() {
  await settled(1200);
  const ids = cart.lines().map((line) => line.item_id);
  const surface = ids.length ? "cart" : "trending";
  const answer = await recommend(surface, { item_id: ids, top_k: 14 }).catch(() => null);
  fill($("rows"), answer?.hits.length && row(ids.length ? t("cart.addons") : t("home.popular"), answer.hits, { id: answer.list_id, name: surface }, { id: `row-${surface}`, reason: ids.length ? "row" : "" }));
}

draw();
addOns();
get("/v1/promotions")
  .then(({ promotions }) => {
    offers = promotions || [];
    draw();
  })
  .catch(() => {});
addEventListener("pageshow", (event) => event.persisted && (draw(), addOns()));
