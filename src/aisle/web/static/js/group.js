// A group to explore: products that belong together, as the shop has found them.

import "./header.js";
import { get, recommend } from "./api.js";
import { card, ghosts } from "./card.js";
import { $, fill, h } from "./dom.js";
import { shopName, t, tn } from "./i18n.js";

const GROUP = decodeURIComponent(location.pathname.slice("/g/".length));

async function open() {
  fill($("group-list"), h("div", { class: "grid" }, ghosts(8)));
  const [{ groups }, answer] = await Promise.all([get("/v1/groups").catch(() => ({ groups: [] })), recommend("group", { group: GROUP, top_k: 60 }).catch(() => null)]);
  const own = groups.find((one) => one.group === GROUP);
  if (!own || !answer?.hits.length) {
    return fill($("group-list"), h("div", { class: "empty" }, h("h2", null, t("group.missing")), h("a", { class: "button", href: "/" }, t("checkout.home"))));
  }
  document.title = `${own.name} – ${shopName}`;
  $("group-title").textContent = own.name;
  $("group-count").textContent = tn("search.n", own.count);
  const list = { id: answer.list_id, name: "group" };
  fill($("group-list"), h("div", { class: "grid" }, answer.hits.map((hit, i) => card(hit, list, { eager: i < 8, heading: "h2", reason: false }))));
  const others = groups.filter((one) => one.group !== GROUP);
  return fill($("rows"), others.length > 0 && h("section", { class: "row" }, h("div", { class: "row-head" }, h("h2", null, t("home.explore"))), h("div", { class: "pills" }, others.map((one) => h("a", { class: "pill", href: `/g/${one.group}` }, one.name)))));
}

open();
