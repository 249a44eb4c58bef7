// Facets: what the results can be narrowed by, with counts over exactly those results.

import { dot } from "./card.js";
import { h } from "./dom.js";
import { fieldName, money, number, t, valueName } from "./i18n.js";

const ORDER = ["product_type", "price", "gender", "color", "size", "brand", "material"];
const HIDDEN = new Set(["availability", "condition"]);
const SHORT = 8;
const OPEN = 5;
const SIZES = ["xxs", "xs", "s", "m", "l", "xl", "xxl", "2xl", "xxxl", "3xl", "4xl"];

const opened = new Map(); // field -> whether the shopper opened it
const expanded = new Set(); // fields shown in full

/** "A > B" values as a tree of {name, path, count, children}. */
function tree(values) {
  const roots = [];
  const byPath = new Map();
  const node = (path) => {
    if (byPath.has(path)) return byPath.get(path);
    const parts = path.split(" > ");
    const made = { name: parts.at(-1), path, count: 0, children: [] };
    byPath.set(path, made);
    (parts.length > 1 ? node(parts.slice(0, -1).join(" > ")).children : roots).push(made);
    return made;
  };
  for (const { value, count } of values) node(value).count = count;
  return { roots, byPath };
}

function categories(values, state, act) {
  const { roots, byPath } = tree(values);
  const chosen = state.category;
  const link = (one, label = one.name) =>
    h(
      "a",
      { href: act.categoryUrl(one.path), "aria-current": one.path === chosen ? "true" : null, on: { click: act.category(one.path) } },
      h("span", null, label),
      one.count > 0 && h("span", { class: "count num" }, number(one.count)),
    );
  const children = (ones) => ones.length > 0 && h("ul", null, ones.map((one) => h("li", null, link(one))));
  if (!chosen || !byPath.has(chosen)) {
    const few = roots.length + roots.reduce((n, one) => n + one.children.length, 0) <= 14;
    return h("ul", { class: "cats" }, roots.map((one) => h("li", null, link(one), few && children(one.children))));
  }
  const parts = chosen.split(" > ");
  let inner = h("ul", null, h("li", null, link(byPath.get(chosen)), children(byPath.get(chosen).children)));
  for (let depth = parts.length - 1; depth > 0; depth -= 1) {
    const path = parts.slice(0, depth).join(" > ");
    inner = h("ul", null, h("li", null, link({ name: parts[depth - 1], path, count: 0 }), inner));
  }
  const all = h("li", null, link({ name: t("all_categories"), path: "", count: 0 }));
  inner.prepend(all);
  inner.className = "cats";
  return inner;
}

function rank(size) {
  const text = size.toLowerCase();
  const known = SIZES.indexOf(text);
  if (known >= 0) return known;
  const found = /-?\d+(?:\.\d+)?/.exec(text);
  return 100 + (found ? Number(found[0]) : 1e6);
}

function sized(values, field, state, act) {
  const sorted = [...values].sort((a, b) => rank(a.value) - rank(b.value) || a.value.localeCompare(b.value));
  return h(
    "div",
    { class: "size-grid" },
    sorted.map(({ value, count }) =>
      h("label", { title: number(count) }, box(field, value, state, act), h("span", null, value)),
    ),
  );
}

function box(field, value, state, act) {
  const input = h("input", { type: "checkbox", id: `facet-${field}-${value}`, name: field, value, on: { change: (event) => act.toggle(field, value, event.target.checked) } });
  input.checked = (state.facets[field] || []).includes(value);
  return input;
}

function checks(values, field, state, act, redraw) {
  const chosen = state.facets[field] || [];
  const sorted = [...values].sort((a, b) => chosen.includes(b.value) - chosen.includes(a.value) || b.count - a.count);
  const shown = expanded.has(field) ? sorted : sorted.slice(0, Math.max(SHORT, chosen.length));
  const rest = sorted.length - shown.length;
  const toggle = () => {
    if (expanded.has(field)) expanded.delete(field);
    else expanded.add(field);
    redraw();
  };
  return [
    shown.map(({ value, count }) =>
      h(
        "label",
        { class: "check" },
        box(field, value, state, act),
        field === "color" && dot(value),
        h("span", { class: "name" }, valueName(field, value)),
        h("span", { class: "count" }, number(count)),
      ),
    ),
    (rest > 0 || (expanded.has(field) && sorted.length > SHORT)) &&
      h("button", { class: "link-button small", type: "button", id: `facet-more-${field}`, on: { click: toggle } }, rest > 0 ? t("filter.more", { n: rest }) : t("filter.less")),
  ];
}

/** Round numbers that cut a price range into about four. */
function cuts(low, high) {
  if (!(high > low)) return [];
  const raw = (high - low) / 4;
  const size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * size).find((s) => s >= raw) || raw;
  const found = [];
  for (let at = Math.ceil((low + step / 4) / step) * step; at < high && found.length < 4; at += step) found.push(at);
  return found;
}

function prices([low, high], state, act, currency) {
  const field = (name, value, end) =>
    h("span", { class: "field" }, h("input", { type: "number", id: `price-${name}`, min: 0, step: "any", inputmode: "decimal", "aria-label": t(`price.${name}`), placeholder: String(end === "low" ? Math.floor(low) : Math.ceil(high)), value: value ?? null, on: { change: act.price } }));
  const at = cuts(low, high);
  const ranges = at.length ? [[null, at[0]], ...at.slice(1).map((cut, i) => [at[i], cut]), [at.at(-1), null]] : [];
  const brief = (amount) => money(amount, currency, { short: true });
  const name = ([from, to]) =>
    from === null ? t("price.under", { price: brief(to) }) : to === null ? t("price.over", { price: brief(from) }) : t("price.between", { low: brief(from), high: brief(to) });
  const [min, max] = state.price;
  return [
    h("div", { class: "price-range" }, field("min", min, "low"), h("span", { class: "muted small" }, t("price.to")), field("max", max, "high")),
    ranges.length > 1 &&
      h(
        "div",
        { class: "price-picks" },
        ranges.map((range) => {
          const on = range[0] === min && range[1] === max;
          return h("button", { class: "pill", type: "button", "aria-pressed": String(on), on: { click: () => act.pickPrice(on ? [null, null] : range) } }, name(range));
        }),
      ),
  ];
}

/** The facets as elements. `remembered` holds a field's values from before it was chosen from. */
export function drawFacets({ answer, remembered, state, act, currency, redraw }) {
  const known = Object.keys(answer.facets || {});
  const fields = [...new Set([...ORDER, ...known])].filter((field) => !HIDDEN.has(field) && (field === "price" || known.includes(field)));
  let place = 0;
  return fields.map((field) => {
    let body;
    if (field === "price") {
      const ends = remembered.price || answer.facet_stats?.price;
      if (!ends || !(ends[1] > ends[0])) return null;
      body = prices(ends, state, act, currency);
    } else if (field === "product_type") {
      const values = answer.facets[field];
      if (values.length < 2 && !state.category) return null;
      body = categories(values, state, act);
    } else {
      const now = answer.facets[field] || [];
      const before = (state.facets[field]?.length && remembered[field]) || [];
      const values = [...now, ...before.filter((one) => !now.some((other) => other.value === one.value))];
      for (const value of state.facets[field] || []) if (!values.some((one) => one.value === value)) values.push({ value, count: 0 });
      // a field that says the same of every hit narrows nothing
      if (!values.length || (values.length === 1 && !state.facets[field]?.length)) return null;
      body = field === "size" ? sized(values, field, state, act) : checks(values, field, state, act, redraw);
    }
    const open = opened.get(field) ?? (place < OPEN || Boolean(state.facets[field]?.length));
    place += 1;
    return h(
      "details",
      { class: "facet", open, dataset: { field }, on: { toggle: (event) => opened.set(field, event.target.open) } },
      h("summary", null, fieldName(field)),
      h("div", { class: "facet-body" }, body),
    );
  });
}
