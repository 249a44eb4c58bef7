// The frame of every storefront page: menu, bag's badge, language, forgetting.

import { categoryUrl, shop, startFresh } from "./api.js";
import * as cart from "./cart.js";
import { $, fill, h, toast, wireDrawer } from "./dom.js";
import { number, t, tn } from "./i18n.js";
import { wireSearchBox } from "./suggest.js";

const MOST_IN_BAR = 7;

function link(category, counted = true) {
  return h("a", { href: categoryUrl(category.path) }, h("span", null, category.name), counted && h("span", { class: "count num" }, number(category.count)));
}

const branch = (category) =>
  h("li", null, link(category), category.children.length > 0 && h("ul", null, category.children.map(branch)));

function panel(category) {
  if (!category.children.length) return null;
  const deep = category.children.some((child) => child.children.length);
  if (!deep) return h("ul", { class: "menu-panel tree" }, category.children.map(branch));
  return h("ul", { class: "menu-panel wide tree" }, category.children.map(branch));
}

function current(path) {
  const here = location.pathname.startsWith("/c/") ? location.pathname.slice(3).split("/").map(decodeURIComponent).join(" > ") : "";
  return here === path || here.startsWith(path + " > ");
}

function drawMenu(categories) {
  const inBar = categories.length > MOST_IN_BAR + 1 ? categories.slice(0, MOST_IN_BAR) : categories;
  const menu = fill(
    $("menu"),
    inBar.map((category) =>
      h("li", null, h("a", { href: categoryUrl(category.path), "aria-current": current(category.path) ? "page" : null }, category.name), panel(category)),
    ),
  );
  if (inBar.length < categories.length) {
    const button = h("button", { type: "button", "aria-expanded": "false" }, t("all_categories"));
    const item = h("li", null, button, h("ul", { class: "menu-panel wide tree" }, categories.map(branch)));
    button.addEventListener("click", () => button.setAttribute("aria-expanded", String(item.classList.toggle("is-open"))));
    menu.append(item);
  }
  // Escape closes an open panel until the pointer or the focus comes back
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const item = event.target.closest("#menu > li");
    item?.classList.remove("is-open");
    item?.classList.add("is-shut");
    item?.firstElementChild.focus();
  });
  for (const name of ["pointerenter", "focusout"]) {
    for (const item of menu.children) {
      item.addEventListener(name, (event) => {
        if (name === "pointerenter" || !item.contains(event.relatedTarget)) item.classList.remove("is-shut", "is-open");
      });
    }
  }
  fill($("menu-tree"), categories.map(branch));
}

function drawBadge() {
  const n = cart.count();
  const badge = $("cart-badge");
  badge.hidden = n === 0;
  badge.textContent = n > 99 ? "99+" : String(n);
  $("cart-link").setAttribute("aria-label", n ? tn("cart.with", n) : t("cart"));
}

function wire() {
  drawBadge();
  addEventListener("aisle:cart", drawBadge);
  addEventListener("storage", (event) => event.key === "aisle.cart" && drawBadge());
  addEventListener("pageshow", drawBadge);
  const drawer = $("menu-drawer");
  wireDrawer(drawer);
  $("menu-button").addEventListener("click", () => drawer.showModal());
  for (const other of document.querySelectorAll(".lang")) {
    // the address may have changed since the page came, so look at it now
    other.addEventListener("click", () => {
      const url = new URL(location.href);
      url.searchParams.set("lang", other.dataset.lang);
      other.href = url.search;
    });
  }
  $("forget").addEventListener("click", () => {
    startFresh();
    drawBadge();
    toast(t("footer.forgotten"));
    setTimeout(() => location.assign("/"), 900);
  });
  const url = new URL(location.href);
  if (url.searchParams.has("lang")) {
    url.searchParams.delete("lang"); // the cookie has it now
    history.replaceState(history.state, "", url);
  }
  shop().then((answer) => drawMenu(answer.categories || []));
}

wire();
wireSearchBox();
