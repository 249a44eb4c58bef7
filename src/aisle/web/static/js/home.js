// Home: what this shopper may want next, and why.

import "./header.js";
import { categoryUrl, get, productUrl, recommend, searchUrl, shop, suggest } from "./api.js";
import { ghosts, row } from "./card.js";
import { recent } from "./cart.js";
import { $, fill, h, icon, photo } from "./dom.js";
import { selected, settled } from "./events.js";
import { number, t } from "./i18n.js";
import { content, readingRow } from "./reading.js";

const ROW = 14;
const AT_FIRST = 5;
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

const leaves = (category) => (category.children.length ? category.children.flatMap(leaves) : [category]);

/** What others search for; in a shop that is new, its largest categories. */
async function tryThese() {
  const { suggestions } = await suggest("").catch(() => ({ suggestions: [] }));
  const queries = suggestions.filter((one) => one.kind === "query" && !one.recent).slice(0, 5);
  const { categories: tree } = await shop();
  const largest = queries.length ? [] : (tree || []).flatMap(leaves).sort((a, b) => b.count - a.count).slice(0, 5);
  const pills = [
    ...queries.map((one) => h("a", { class: "pill", href: searchUrl(one.text) }, icon("search"), one.text)),
    ...largest.map((one) => h("a", { class: "pill", href: categoryUrl(one.path) }, one.name)),
  ];
  if (pills.length) fill($("hero-try"), h("span", { class: "small muted" }, queries.length ? t("home.try") : t("home.categories")), h("div", { class: "pills" }, pills));
}

/** Popularity, said as what it is: with no traffic yet, the shop's novelties; nothing when it is the row above again. */
function popular(trending, above) {
  const shown = new Set((above?.hits || []).slice(0, 8).map((hit) => hit.group_id));
  const again = trending.hits.slice(0, 8).filter((hit) => shown.has(hit.group_id)).length;
  if (!trending.hits.length || again >= 6) return null;
  const fresh = trending.hits.every((hit) => hit.reasons?.[0]?.kind === "new_here");
  return row(fresh ? t("home.new") : t("home.popular"), trending.hits, asList(trending), { id: "row-trending", reason: "" });
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
async function categories(tree, hits) {
  const top = tree.length === 1 ? tree[0].children : tree;
  const few = top.length < 4 ? top.flatMap((one) => (one.children.length ? one.children.map((child) => ({ ...child, within: one.name })) : [one])) : top;
  const used = new Set();
  const pictured = few.slice(0, 12).map((one) => {
    const shown = hits.find((hit) => !used.has(hit.item_id) && hit.image_link && `${hit.product_type} > `.startsWith(`${one.path} > `));
    if (shown) used.add(shown.item_id);
    return [one, shown?.image_link || ""];
  });
  const bare = pictured.filter(([, picture]) => !picture);
  await Promise.all(
    bare.map(async (entry) => {
      const found = await recommend("trending", { product_type: entry[0].path, top_k: 3 }).catch(() => ({ hits: [] }));
      entry[1] = (found.hits.find((hit) => hit.image_link && !used.has(hit.item_id)) || found.hits[0])?.image_link || "";
    }),
  );
  const tiles = pictured.map(([one, picture]) => {
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

/** Groups that the shop has found by itself, as tiles. */
function explore(groups) {
  if (groups.length < 3) return null;
  const tiles = groups.slice(0, 8).map((one) =>
    h("a", { class: "tile wide-tile", href: `/g/${one.group}` }, photo(one.image_link, "", { missing: t("no_photo") }), h("span", null, h("strong", null, one.name), h("span", { class: "small muted num" }, number(one.count)))),
  );
  return row(t("home.explore"), [], { name: "groups" }, { children: tiles, small: true, id: "row-groups" });
}

/** The row for this shopper alone is asked again when they have said something. */
async function again() {
  const place = $("row-home");
  const found = await recommend("home", { top_k: ROW }).catch(ignore);
  if (!place?.isConnected || !found?.hits.length) return;
  place.replaceWith(row(place.getAttribute("aria-label"), found.hits, asList(found), { id: "row-home" }));
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
  const known = seen.length > 0;
  const own = (surface) => (known ? recommend(surface, { top_k: ROW }).catch(ignore) : null);
  const [forYou, due, followed, fresh, groups, readings, trending, similar, frame] = await Promise.all([
    recommend("home", { top_k: ROW }).catch(ignore),
    own("buy_again"),
    recommend("followed", { top_k: ROW }).catch(ignore),
    own("new_for_you"),
    get("/v1/groups").then((found) => found.groups, () => []),
    known ? content("", 3) : [],
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
    rows.push(row(seen.length ? t("home.for_you") : t("home.start"), forYou.hits, asList(forYou), { id: "row-home", reason: seen.length ? "card" : "row" }));
  }
  // what stands in the first places above need not be said twice
  const above = new Set((forYou?.hits || []).slice(0, AT_FIRST).map((hit) => hit.group_id));
  const further = (similar?.hits || []).filter((hit) => !above.has(hit.group_id));
  if (further.length >= 3) {
    rows.push(row(t("home.because", { title: last.title }), further, asList(similar), { id: "row-similar", reason: "" }));
  }
  const one = (answer, title) => answer?.hits.length >= 2 && row(title, answer.hits, asList(answer), { id: `row-${answer.surface}`, reason: "row" });
  rows.push(one(due, t("home.again")), one(followed, t("home.followed")));
  if (fresh?.hits.some((hit) => hit.reasons?.[0]?.kind === "new_for_you")) rows.push(one(fresh, t("home.new_for_you")));
  if (trending) rows.push(popular(trending, forYou));
  rows.push(explore(groups), readingRow(t("home.reading"), readings, "row-reading"));
  const all = [...(trending?.hits || []), ...(forYou?.hits || [])];
  const place = h("div");
  rows.splice(seen.length ? rows.length : Math.min(1, rows.length), 0, place);
  fill($("rows"), rows);
  const tiles = await categories(frame.categories || [], all);
  if (tiles) place.replaceWith(tiles);
  return null;
}

draw();
tryThese().catch(ignore);
offers().catch(ignore);
// a page brought back from the browser's memory must show what was done since
addEventListener("aisle:feedback", again);
addEventListener("pageshow", (event) => event.persisted && draw());
