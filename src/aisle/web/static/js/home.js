// Home: what this shopper may want next, and why.

import "./header.js";
import { categoryUrl, get, productUrl, recommend, searchUrl, shop, suggest } from "./api.js";
import { ghosts, row } from "./card.js";
import { recent } from "./cart.js";
import { $, fill, h, icon, photo } from "./dom.js";
import { selected, settled } from "./events.js";
import { number, t } from "./i18n.js";

const ROW = 14;
const ignore = () => null;

function hero(hits, list, back) {
  const pictured = hits.filter((hit) => hit.image_link).slice(0, 3);
  fill(
    $("hero-photos"),
    pictured.map((hit) =>
      h(
        "a",
        { href: productUrl(hit.item_id), "aria-label": hit.title, on: { click: () => selected({ listId: list.id, listName: list.name, item: hit.item_id, index: hit.position }) } },
        photo(hit.image_link, "", { eager: true }),
      ),
    ),
  );
  $("hero-photos").hidden = pictured.length < 3;
  if (back) {
    $("hero-title").textContent = t("home.headline_back");
    $("hero-sub").textContent = t("home.sub_back");
  }
}

async function tryThese() {
  const { suggestions } = await suggest("");
  const queries = suggestions.filter((one) => one.kind === "query").slice(0, 5);
  if (!queries.length) return;
  fill(
    $("hero-try"),
    h("span", { class: "small muted" }, t("home.try")),
    h("div", { class: "pills" }, queries.map((one) => h("a", { class: "pill", href: searchUrl(one.text) }, icon("search"), one.text))),
  );
}

async function offers() {
  const { promotions } = await get("/v1/promotions");
  if (!promotions?.length) return;
  const list = $("offers");
  fill(list, promotions.slice(0, 4).map((one) => h("li", null, icon("tag"), h("span", null, one.name))));
  list.hidden = false;
}

function recently(seen) {
  const tiles = seen.map((one) =>
    h("a", { class: "tile", href: productUrl(one.item_id) }, photo(one.image_link, "", { missing: t("no_photo") }), h("span", { class: "card-title" }, one.title)),
  );
  return row(t("home.recent"), [], { name: "recent" }, { children: tiles, small: true, id: "row-recent" });
}

/** Categories as tiles; a photo comes from a product shown on this page that lies within. */
function categories(tree, hits) {
  const top = tree.length === 1 ? tree[0].children : tree;
  const few = top.length < 4 ? top.flatMap((one) => (one.children.length ? one.children.map((child) => ({ ...child, within: one.name })) : [one])) : top;
  const used = new Set();
  const tiles = few.slice(0, 12).map((one) => {
    const shown = hits.find((hit) => !used.has(hit.item_id) && hit.image_link && `${hit.product_type} > `.startsWith(`${one.path} > `));
    if (shown) used.add(shown.item_id);
    const picture = one.image_link || shown?.image_link;
    return h(
      "a",
      { class: "tile", href: categoryUrl(one.path) },
      picture ? photo(picture, "") : h("span", { class: "photo" }, h("span", { class: "initial", "aria-hidden": "true" }, one.name.slice(0, 1))),
      h("span", null, h("strong", null, one.within ? `${one.within} · ${one.name}` : one.name), h("span", { class: "small muted num" }, number(one.count))),
    );
  });
  if (tiles.length < 2) return null;
  return h("section", { class: "row", id: "row-categories" }, h("div", { class: "row-head" }, h("h2", null, t("home.categories"))), h("div", { class: "tiles", vars: { "--n": tiles.length > 8 ? Math.ceil(tiles.length / 2) : tiles.length } }, tiles));
}

const asList = (answer) => ({ id: answer.list_id, name: answer.surface });

function failed() {
  const again = h("button", { class: "button quiet", type: "button", on: { click: draw } }, t("retry"));
  fill($("rows"), h("div", { class: "empty" }, h("h2", null, t("offline")), again));
}

async function draw() {
  fill($("rows"), h("section", { class: "row", "aria-busy": "true" }, h("div", { class: "rail" }, ghosts(6))));
  const seen = recent();
  const last = seen[0];
  await settled(); // what was just clicked is known before anything is asked
  const [forYou, trending, similar, frame] = await Promise.all([
    recommend("home", { top_k: ROW }).catch(ignore),
    recommend("trending", { top_k: ROW }).catch(ignore),
    last ? recommend("similar", { item_id: last.item_id, top_k: ROW }).catch(ignore) : null,
    shop(),
  ]);
  if (!forYou && !trending) return failed();
  const rows = [];
  const lead = forYou?.hits.length ? forYou : trending;
  hero(lead.hits, asList(lead), seen.length > 0);
  if (seen.length > 1) rows.push(recently(seen));
  if (forYou?.hits.length) {
    rows.push(row(seen.length ? t("home.for_you") : t("home.start"), forYou.hits, asList(forYou), { id: "row-home" }));
  }
  if (similar?.hits.length) {
    rows.push(row(t("home.because", { title: last.title }), similar.hits, asList(similar), { id: "row-similar", reason: "" }));
  }
  if (trending?.hits.length) rows.push(row(t("home.popular"), trending.hits, asList(trending), { id: "row-trending", reason: "row" }));
  const all = [...(trending?.hits || []), ...(forYou?.hits || [])];
  const tiles = categories(frame.categories || [], all);
  if (tiles) rows.splice(seen.length ? rows.length : Math.min(1, rows.length), 0, tiles);
  fill($("rows"), rows);
  return null;
}

draw();
tryThese().catch(ignore);
offers().catch(ignore);
// a page brought back from the browser's memory must show what was done since
addEventListener("pageshow", (event) => event.persisted && draw());
