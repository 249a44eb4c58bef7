// Search and category pages: results as one types, facets, what was understood.

import "./header.js";
import { categoryUrl, recommend, search, searchUrl, suggest } from "./api.js";
import { card, ghosts, row } from "./card.js";
import { $, debounce, fill, h, icon, wireDrawer } from "./dom.js";
import { settled, track } from "./events.js";
import { follows, setFollow } from "./feedback.js";
import { drawFacets } from "./facets.js";
import { number, parseMoney, shopName, t, tn, valueName } from "./i18n.js";
import { placed, suggestionName, suggestionUrl } from "./suggest.js";
import { askedName, chip, drawAnswers, drawNote, ignoredName, ignoreName, understoodName, worthSaying } from "./understood.js";

const PAGE = 24;
const TYPING_MS = 110;
const SETTLED_MS = 1200;
const FACET = "f.";

const onCategory = $("search-page").dataset.category === "yes";
const box = $("searchbox");
const input = $("query");
let state = read();
let answer = null;
let shown = 0;
let asking = null;
let told = "";
const remembered = {};

// ------------------------------------------------------- state and address

function read() {
  const url = new URL(location.href);
  const facets = {};
  for (const [name, value] of url.searchParams) {
    if (name.startsWith(FACET) && value) (facets[name.slice(FACET.length)] ??= []).push(value);
  }
  const ends = (url.searchParams.get("price") || "").split("-").map((end) => (end.trim() === "" || Number.isNaN(Number(end)) ? null : Number(end)));
  return {
    query: url.searchParams.get("query") || url.searchParams.get("q") || "",
    category: onCategory ? location.pathname.slice(3).split("/").filter(Boolean).map(decodeURIComponent).join(" > ") : url.searchParams.get("category") || "",
    facets,
    price: [ends[0] ?? null, ends[1] ?? null],
    sort: url.searchParams.get("sort") || "relevance",
    ignore: (url.searchParams.get("ignore") || "").split(",").filter(Boolean),
  };
}

function address() {
  const parameters = new URLSearchParams();
  if (state.query) parameters.set("query", state.query);
  if (state.category && !onCategory) parameters.set("category", state.category);
  for (const [field, values] of Object.entries(state.facets)) for (const value of values) parameters.append(FACET + field, value);
  if (state.price.some((end) => end !== null)) parameters.set("price", state.price.map((end) => end ?? "").join("-"));
  if (state.sort !== "relevance") parameters.set("sort", state.sort);
  if (state.ignore.length) parameters.set("ignore", state.ignore.join(","));
  const text = parameters.toString();
  return location.pathname + (text ? `?${text}` : "");
}

function asked(page) {
  const facetFilters = Object.entries(state.facets).filter(([, values]) => values.length).map(([field, values]) => values.map((value) => `${field}:${value}`));
  if (state.category) facetFilters.push([`product_type:${state.category}`]);
  const [min, max] = state.price;
  const numericFilters = [min !== null && `price>=${min}`, max !== null && `price<=${max}`].filter(Boolean);
  return {
    query: state.query,
    page,
    hits_per_page: PAGE,
    sort: state.sort,
    facetFilters: facetFilters.length ? JSON.stringify(facetFilters) : "",
    numericFilters: numericFilters.length ? JSON.stringify(numericFilters) : "",
    ignore: state.ignore.join(","),
  };
}

// ---------------------------------------------------------------- asking

/** Ask again after a change. `push` makes it a step of the browser's history. */
async function ask({ push = false, typed = false } = {}) {
  if (push) history.pushState(null, "", address());
  else history.replaceState(null, "", address());
  asking?.abort();
  const mine = (asking = new AbortController());
  $("results-list").classList.add("is-waiting");
  try {
    const found = await search(asked(0), mine.signal);
    if (mine !== asking) return;
    answer = found;
    shown = 0;
    remember();
    draw();
    tell(typed);
    if (push) scrollTo({ top: 0, behavior: "instant" });
  } catch (error) {
    if (error.name !== "AbortError" && mine === asking) failed(error);
  } finally {
    if (mine === asking) $("results-list").classList.remove("is-waiting");
  }
}

function remember() {
  for (const [field, values] of Object.entries(answer.facets || {})) {
    if (!state.facets[field]?.length) remembered[field] = values;
  }
  if (state.price.every((end) => end === null)) remembered.price = answer.facet_stats?.price;
}

/** A search counts once the shopper has stopped typing. */
const tellSoon = debounce(() => {
  if (!state.query || told === state.query || !answer) return;
  told = state.query;
  track("search", { query: state.query, listId: answer.list_id, params: { n_hits: answer.n_hits } });
}, SETTLED_MS);

function tell(typed) {
  tellSoon();
  if (!typed) related();
}

async function more() {
  const button = $("more").querySelector("button");
  if (button) button.disabled = true;
  try {
    const next = await search(asked(Math.floor(shown / PAGE)));
    const grid = $("results-list").firstElementChild;
    const first = addCards(grid, next);
    drawMore();
    first?.querySelector("a")?.focus({ preventScroll: true });
  } catch (error) {
    failed(error);
  }
}

// --------------------------------------------------------------- drawing

function addCards(grid, from) {
  const list = { id: from.list_id, name: onCategory ? "category" : "search", query: state.query };
  const cards = from.hits.map((hit, i) => card(hit, list, { eager: shown + i < 8, heading: "h2" }));
  grid.append(...cards);
  shown += cards.length;
  return cards[0];
}

function drawMore() {
  const left = answer.n_hits - shown;
  const progress = h("progress", { max: answer.n_hits, value: shown, "aria-hidden": "true" });
  const text = t("search.shown", { shown: number(shown), n: number(answer.n_hits) });
  fill(
    $("more"),
    h("span", { class: "muted small num" }, text),
    progress,
    left > 0 && shown > 0 && h("button", { class: "button quiet", type: "button", on: { click: more } }, t("search.more")),
  );
  $("more").hidden = answer.n_hits <= PAGE;
}

function title() {
  if (state.query) return t("search.results_for", { query: state.query });
  if (state.category) return state.category.split(" > ").at(-1);
  return t("search.everything");
}

function drawChips() {
  const all = answer?.understood || [];
  const parts = all.filter((part) => worthSaying(part) && !answer.given_up.some((gone) => gone.ignore === part.ignore) && (part.kind !== "sort" || state.sort === "relevance"));
  const again = () => ask({ push: true });
  const undone = (style, label, name) =>
    chip(`chip-understood ${style}`, label, t("search.undo", { label }), "close", () => {
      state.ignore = [...new Set([...state.ignore, name])];
      again();
    });
  const understood = parts.map((part) => undone(part.hard || part.kind === "sort" ? "" : "chip-mild", understoodName(part), ignoreName(part, all)));
  const asked = askedName(answer);
  if (asked) understood.push(undone("chip-mild", asked, "intent"));
  const ignored = state.ignore.map((kind) => {
    const label = ignoredName(kind);
    return chip("chip-ignored", label, `${t("search.ignored", { label })}. ${t("search.use_again")}`, "undo", () => {
      state.ignore = state.ignore.filter((one) => one !== kind);
      again();
    });
  });
  const chosen = Object.entries(state.facets).flatMap(([field, values]) =>
    values.map((value) => {
      const label = valueName(field, value);
      return chip("", label, t("search.remove", { label }), "close", () => act.toggle(field, value, false));
    }),
  );
  if (state.category && !onCategory) {
    const label = state.category.split(" > ").at(-1);
    chosen.unshift(chip("", label, t("search.remove", { label }), "close", () => setCategory("")));
  }
  const [min, max] = state.price;
  if (min !== null || max !== null) {
    const label = understoodName({ field: "price", low: min, high: max, values: [], text: "" });
    chosen.push(chip("", label, t("search.remove", { label }), "close", () => act.pickPrice([null, null])));
  }
  const clear = chosen.length > 1 && h("button", { class: "link-button small", type: "button", on: { click: clearAll } }, t("search.clear_all"));
  fill($("chips"), understood.length > 0 && h("span", null, t("search.understood")), understood, ignored, chosen, clear);
  const n = chosen.length;
  $("filter-button").lastElementChild.textContent = n ? t("filter.with", { n }) : t("filter");
}

function clearAll() {
  Object.assign(state, { facets: {}, price: [null, null], category: onCategory ? state.category : "" });
  ask({ push: true });
}

function drawCrumbs() {
  if (!state.category || !onCategory) return;
  const parts = state.category.split(" > ");
  const list = fill(
    $("crumbs"),
    h("li", null, h("a", { href: "/" }, t("home.title"))),
    parts.map((name, i) =>
      h("li", null, i === parts.length - 1 ? h("span", { "aria-current": "page" }, name) : h("a", { href: categoryUrl(parts.slice(0, i + 1).join(" > ")) }, name)),
    ),
  );
  list.hidden = false;
}

/** A category can be followed: what is in it comes forward on the home page. */
function wireFollow() {
  if (!state.category || !onCategory) return;
  const button = $("follow-category");
  const name = state.category.split(" > ").at(-1);
  const drawn = (on) => {
    button.setAttribute("aria-pressed", String(on));
    fill(button, icon(on ? "check" : "plus"), h("span", null, t(on ? "follow.on" : "follow.off")));
  };
  button.setAttribute("aria-label", t("follow.start", { name }));
  button.addEventListener("click", () => setFollow("product_type", state.category, !follows("product_type", state.category), drawn));
  drawn(follows("product_type", state.category));
  button.hidden = false;
}

function drawFacetList() {
  const focused = document.activeElement?.id;
  fill($("facets"), drawFacets({ answer, remembered, state, act, currency: parseMoney(answer.hits[0]?.price)?.currency, redraw: drawFacetList }));
  if (focused?.startsWith("facet-") || focused?.startsWith("price-")) $(focused)?.focus({ preventScroll: true });
  $("filter-show").textContent = tn("filter.show", answer.n_hits);
}

function draw() {
  document.title = `${title()} – ${shopName}`;
  $("results-title").textContent = title();
  $("results-count").textContent = tn("search.n", answer.n_hits);
  drawNote($("results-note"), answer, state.query, () => {
    state.ignore = [...new Set([...state.ignore, "spelling"])];
    ask({ push: true });
  });
  drawAnswers($("answers"), answer.answers);
  drawChips();
  drawFacetList();
  const none = answer.n_hits === 0;
  $("results-bar").hidden = none && !filtered();
  $("search-page").querySelector(".results").classList.toggle("is-bare", none && !filtered());
  if (none) return drawNothing();
  $("rows").replaceChildren();
  if (onCategory) popularHere();
  const grid = h("div", { class: "grid" });
  addCards(grid, answer);
  fill($("results-list"), grid);
  return drawMore();
}

const filtered = () => Object.values(state.facets).some((values) => values.length) || state.price.some((end) => end !== null) || (state.category && !onCategory);

async function drawNothing() {
  $("more").hidden = true;
  const narrow = filtered();
  const heading = narrow ? t("zero.filtered") : state.query ? t("zero.title", { query: state.query }) : t("category.empty");
  const pills = h("div", { class: "pills" });
  fill(
    $("results-list"),
    h(
      "div",
      { class: "empty" },
      h("h2", null, heading),
      h("p", { class: "muted" }, narrow ? t("zero.filtered_help") : t("zero.help")),
      narrow && h("button", { class: "button quiet", type: "button", on: { click: clearAll } }, t("search.clear_all")),
      pills,
    ),
  );
  const mine = answer;
  const rescue = answer.rescue;
  const [tries, trending] = await Promise.all([elsewhere(), rescue ? null : recommend("trending", { top_k: 12 }).catch(() => null)]);
  if (mine !== answer) return;
  fill(pills, tries.map((one) => h("a", { class: "pill", href: suggestionUrl(one) }, icon("search"), suggestionName(one))));
  if (rescue?.hits.length) {
    fill($("rows"), row(t("zero.rescue"), rescue.hits, { id: rescue.list_id, name: rescue.surface }, { id: "row-rescue" }));
  } else if (trending?.hits.length) {
    fill($("rows"), row(t("home.popular"), trending.hits, { id: trending.list_id, name: "trending" }, { id: "row-trending", reason: "row" }));
  }
}

/** Suggestions for the query or, failing that, for its longest word, or for nothing at all. */
async function elsewhere() {
  const words = state.query.split(/\s+/).sort((a, b) => b.length - a.length);
  for (const text of [state.query, words[0], ""]) {
    const found = await suggest(text || "").then((found) => found.suggestions, () => []);
    const useful = placed(found).filter((one) => one.kind !== "product" && !one.recent && one.text.toLowerCase() !== state.query.toLowerCase());
    if (useful.length) return useful.slice(0, 6);
  }
  return [];
}

/** What is popular in a large category, above its products; a small one shows them all anyway. */
async function popularHere() {
  const mine = answer;
  const place = $("popular-here");
  if (answer.n_hits <= PAGE || filtered() || state.sort !== "relevance") return place.replaceChildren();
  if (place.childElementCount) return undefined;
  const found = await recommend("trending", { product_type: state.category, top_k: 12 }).catch(() => null);
  if (mine !== answer || !found?.hits.length) return undefined;
  const name = state.category.split(" > ").at(-1);
  return fill(place, row(t("category.popular", { name }), found.hits, { id: found.list_id, name: found.surface }, { id: "row-trending", reason: "" }));
}

async function related() {
  const text = state.query.trim();
  const strip = $("related");
  if (!text || onCategory) return void (strip.hidden = true);
  const { suggestions } = await suggest(text).catch(() => ({ suggestions: [] }));
  if (text !== state.query.trim()) return undefined;
  const useful = placed(suggestions).filter((one) => one.kind !== "product" && !one.recent && one.text.toLowerCase() !== text.toLowerCase()).slice(0, 8);
  strip.hidden = useful.length === 0 || answer?.n_hits === 0;
  fill(strip, h("span", null, t("search.related")), useful.map((one) => h("a", { class: "pill", href: suggestionUrl(one) }, suggestionName(one))));
  return undefined;
}

function failed(error) {
  const again = h("button", { class: "button quiet", type: "button", on: { click: () => ask() } }, t("retry"));
  fill($("results-list"), h("div", { class: "empty" }, h("h2", null, t("offline")), h("p", { class: "muted" }, error.status ? error.message : ""), again));
  $("more").hidden = true;
}

// --------------------------------------------------------------- actions

function setCategory(path) {
  state.category = path;
  ask({ push: true });
}

const act = {
  toggle(field, value, on) {
    const others = (state.facets[field] || []).filter((one) => one !== value);
    state.facets[field] = on ? [...others, value] : others;
    if (!state.facets[field].length) delete state.facets[field];
    ask({ push: true });
  },
  category: (path) => (event) => {
    if (onCategory || event.metaKey || event.ctrlKey) return; // a plain link there
    event.preventDefault();
    setCategory(path);
  },
  categoryUrl: (path) => (path && (onCategory || !state.query) ? categoryUrl(path) : searchUrl(state.query)),
  price() {
    const end = (id) => ($(id).value.trim() === "" || Number($(id).value) < 0 ? null : Number($(id).value));
    act.pickPrice([end("price-min"), end("price-max")]);
  },
  pickPrice([low, high]) {
    state.price = low !== null && high !== null && low > high ? [high, low] : [low, high];
    ask({ push: true });
  },
};

const typing = debounce((text) => {
  if (text === state.query) return;
  // a new search is understood anew, and is not narrowed by what narrowed the last one
  Object.assign(state, { query: text, ignore: [], facets: {}, price: [null, null], category: "" });
  ask({ typed: true });
  related();
}, TYPING_MS);

function wire() {
  input.value = state.query;
  $("query-clear").hidden = !state.query;
  if (!onCategory) {
    box.dataset.live = "yes";
    box.addEventListener("aisle:query", (event) => typing(event.detail));
    box.addEventListener("aisle:submit", (event) => {
      typing.cancel();
      if (event.detail !== state.query) {
        Object.assign(state, { query: event.detail, ignore: [], facets: {}, price: [null, null], category: "" });
        ask({ push: true });
      }
    });
  }
  const sort = $("sort");
  sort.value = state.sort;
  if (!sort.value) sort.value = state.sort = "relevance";
  sort.addEventListener("change", () => {
    state.sort = sort.value;
    ask({ push: true });
  });
  const drawer = $("filter-drawer");
  wireDrawer(drawer);
  $("filter-button").addEventListener("click", () => {
    $("facets-drawer").append($("facets"));
    drawer.showModal();
  });
  drawer.addEventListener("close", () => $("facets-side").append($("facets")));
  addEventListener("popstate", () => {
    state = read();
    input.value = state.query;
    sort.value = state.sort;
    ask();
  });
}

wire();
drawCrumbs();
wireFollow();
$("results-title").textContent = title();
fill($("results-list"), h("div", { class: "grid" }, ghosts(8)));
settled(1200).then(() => ask());
