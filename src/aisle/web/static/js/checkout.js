// A pretend checkout: it charges nothing, and says so.

import "./header.js";
import { recommend } from "./api.js";
import { row } from "./card.js";
import * as cart from "./cart.js";
import { $, fill, h, icon, photo } from "./dom.js";
import { settled, track } from "./events.js";
import { money, number, t } from "./i18n.js";

const field = (key, value) =>
  h("div", { class: "field" }, h("label", { for: `sample-${key}` }, t(`checkout.${key}`)), h("input", { id: `sample-${key}`, readonly: true, value, autocomplete: "off" }));

const note = () => h("p", { class: "note", role: "note" }, icon("info"), h("span", null, t("checkout.demo")));

function empty() {
  fill($("checkout"), h("div", { class: "empty" }, h("h1", null, t("cart.empty")), h("a", { class: "button", href: "/search" }, t("home.browse"))));
}

function draw() {
  const all = cart.lines();
  if (!all.length) return empty();
  const total = cart.total();
  const items = cart.asItems(all);
  const listId = cart.commonList(all);
  track("begin_checkout", { items, value: total, listId });
  const button = h("button", { class: "button big block", type: "submit", id: "place-order" }, t("checkout.place"));
  const form = h(
    "form",
    { class: "checkout-form" },
    h("h1", null, t("checkout.title")),
    note(),
    h("section", { class: "panel" }, h("h2", null, t("checkout.contact")), h("div", { class: "fields" }, field("name", t("checkout.sample_name")), field("email", "shopper@example.com"))),
    h("section", { class: "panel" }, h("h2", null, t("checkout.address")), h("div", { class: "fields" }, field("street", t("checkout.sample_street")), field("city", t("checkout.sample_city"))), h("p", { class: "small muted" }, t("checkout.prefilled"))),
    h("section", { class: "panel" }, h("h2", null, t("checkout.payment")), h("p", { class: "muted" }, t("checkout.pretend"))),
    button,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    button.textContent = t("checkout.placing");
    const order = `A${Date.now().toString(36).toUpperCase()}`;
    await track("purchase", { items, value: total, listId, params: { transaction_id: order } });
    await settled(3000);
    cart.empty();
    thanks(order, items.map((one) => one.item_id));
  });
  const currency = all[0].currency;
  const aside = h(
    "aside",
    { class: "panel", "aria-label": t("cart.summary") },
    h("h2", null, t("cart.summary")),
    all.map((line) =>
      h("div", { class: "mini" }, photo(line.image_link, ""), h("span", null, line.title, line.quantity > 1 && ` × ${number(line.quantity)}`, line.option && h("span", { class: "muted" }, h("br"), line.option)), h("span", { class: "num" }, line.price === null ? "" : money(line.price * line.quantity, line.currency))),
    ),
    h("dl", { class: "sums num" }, h("dt", null, t("cart.shipping")), h("dd", null, t("cart.free")), h("dt", { class: "total" }, t("cart.total")), h("dd", { class: "total" }, money(total, currency))),
  );
  return fill($("checkout"), h("div", { class: "bag" }, form, aside));
}

async function thanks(order, bought) {
  fill(
    $("checkout"),
    h(
      "div",
      { class: "done", id: "order-done" },
      h("h1", { tabindex: "-1", id: "thanks" }, t("checkout.thanks")),
      h("p", { class: "muted num" }, t("checkout.number", { id: order })),
      h("p", null, t("checkout.learned")),
      note(),
      h("a", { class: "button", href: "/" }, t("checkout.home")),
    ),
  );
  scrollTo({ top: 0 });
  $("thanks").focus();
  const ask = (surface, more = {}) => recommend(surface, { top_k: 12, ...more }).catch(() => null);
  const [after, again, home] = await Promise.all([ask("after_purchase", { item_id: bought }), ask("buy_again"), ask("home")]);
  const one = (answer, title) => answer?.hits.length > 0 && row(title, answer.hits, { id: answer.list_id, name: answer.surface }, { id: `row-${answer.surface}`, reason: "row" });
  fill($("rows"), one(after, t("checkout.after")), one(again, t("home.again")), one(home, t("home.for_you")));
}

draw();
