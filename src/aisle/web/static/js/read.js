// A guide or help page.

import "./header.js";
import { get } from "./api.js";
import { $, fill, h } from "./dom.js";
import { shopName, t } from "./i18n.js";

const ID = decodeURIComponent(location.pathname.slice("/read/".length));

async function open() {
  const { pages } = await get("/v1/pages").catch(() => ({ pages: [] }));
  const page = pages.find((one) => one.page_id === ID);
  if (!page) return fill($("read"), h("div", { class: "empty" }, h("h1", null, t("read.missing")), h("a", { class: "button", href: "/" }, t("checkout.home"))));
  document.title = `${page.title} – ${shopName}`;
  const lines = page.text.split(/\n+/).map((line) => line.trim()).filter(Boolean);
  const body = lines[0] === page.title ? lines.slice(1) : lines;
  const others = pages.filter((one) => one.page_id !== ID).slice(0, 8);
  return fill(
    $("read"),
    h("article", { class: "read" }, h("h1", null, page.title), body.map((line) => h("p", null, line))),
    others.length > 0 && h("nav", { class: "row", "aria-label": t("read.more") }, h("h2", null, t("read.more")), h("div", { class: "pills" }, others.map((one) => h("a", { class: "pill", href: `/read/${encodeURIComponent(one.page_id)}` }, one.title)))),
  );
}

open();
