// The search box: suggestions as one types (ARIA combobox), or, on the search page, the results themselves.

import { categoryUrl, productUrl, searchUrl, shop, typed } from "./api.js";
import { $, debounce, emphasised, fill, h, icon, photo } from "./dom.js";
import { money, moneyText, parseMoney, t, tn } from "./i18n.js";

const PAUSE_MS = 90;
const MOST_KEPT = 60;
const NARROW = "(max-width: 54rem)";
const [MOST_PRODUCTS, MOST_ON_PHONE] = [6, 4];

const paths = new Map(); // "leaf" and "parent leaf" -> the categories' paths

function note(category) {
  const parts = category.path.split(" > ");
  for (const name of new Set([parts.at(-1), parts.slice(-2).join(" "), category.path])) {
    paths.set(name, [...(paths.get(name) || []), category.path]);
  }
  category.children.forEach(note);
}

shop().then((answer) => (answer.categories || []).forEach(note));

const MOST_CATEGORIES = 4;

/** The suggestions with each category as the one or more places of that name, every place once. */
export function placed(suggestions) {
  const seen = new Set();
  return suggestions.flatMap((one) => {
    if (one.kind !== "category") return [one];
    const found = (paths.get(one.text) || []).filter((path) => !seen.has(path) && seen.size < MOST_CATEGORIES && seen.add(path));
    return found.map((path) => ({ ...one, path }));
  });
}

/** A category as "Women › Tops", other suggestions as their text. */
export const suggestionName = (suggestion) => (suggestion.path ? suggestion.path.split(" > ").slice(-2).join(" › ") : suggestion.text);

/** Where choosing a suggestion leads. */
export function suggestionUrl(suggestion) {
  if (suggestion.kind === "product" && suggestion.item_id) return productUrl(suggestion.item_id);
  return suggestion.path ? categoryUrl(suggestion.path) : searchUrl(suggestion.text);
}

function label(suggestion) {
  const nodes = emphasised(suggestion.highlight || suggestion.text);
  if (!suggestion.path) return h("span", null, nodes);
  // the leaf says what it is, the way to it comes after
  const parts = suggestion.path.split(" > ");
  const leaf = parts.at(-1);
  const marked = suggestion.text === leaf ? nodes : [leaf];
  return h("span", null, marked, parts.length > 1 && h("span", { class: "trail" }, ` – ${parts.slice(0, -1).join(" › ")}`));
}

const attributes = (suggestion, extra) => ({
  class: `suggestion ${extra}`.trim(),
  role: "option",
  "aria-selected": "false",
  tabindex: "-1",
  href: suggestionUrl(suggestion),
  dataset: { kind: suggestion.kind, text: suggestion.text },
});

function option(suggestion) {
  const sign = suggestion.kind === "query" && icon(suggestion.recent ? "clock" : "search");
  return h("a", attributes(suggestion, ""), sign, label(suggestion));
}

function price(product) {
  const now = parseMoney(product.price);
  if (!now) return null;
  return h(
    "span",
    { class: product.was ? "price on-sale" : "price" },
    h("span", { class: "now" }, money(now.amount, now.currency)),
    product.was && h("s", { "aria-label": t("price.was", { price: moneyText(product.was) }) }, moneyText(product.was)),
  );
}

function productOption(product) {
  const text = h("span", { class: "instant-text" }, h("span", { class: "instant-title" }, emphasised(product.highlight || product.text)), price(product));
  return h("a", attributes(product, "instant"), photo(product.image_link, "", { extra: "thumb" }), text);
}

function group(title, drawn, extra = "") {
  if (!drawn.length) return null;
  return h("div", { role: "group", class: extra, "aria-label": title }, h("h3", { "aria-hidden": "true" }, title), drawn);
}

/** Wire the header's box. A page that searches live itself sets `data-live` on it and listens for `aisle:query`. */
export function wireSearchBox() {
  const box = $("searchbox");
  const input = $("query");
  const list = $("suggestions");
  const status = $("suggestions-status");
  const clear = $("query-clear");
  const live = () => box.dataset.live === "yes";
  let options = [];
  let chosen = -1;
  let asking = null;
  let composing = false;
  const kept = new Map(); // what was typed -> the answer

  const set = (attributes) => Object.entries(attributes).forEach(([name, value]) => input.setAttribute(name, value));
  set({ role: "combobox", "aria-expanded": "false", "aria-controls": "suggestions", "aria-autocomplete": "list" });

  function close() {
    asking?.abort();
    ask.cancel();
    list.hidden = true;
    chosen = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  function choose(index) {
    chosen = (index + options.length + 1) % (options.length + 1);
    if (chosen === options.length) chosen = -1; // back in the box itself
    options.forEach((one, i) => one.setAttribute("aria-selected", String(i === chosen)));
    if (chosen < 0) return input.removeAttribute("aria-activedescendant");
    input.setAttribute("aria-activedescendant", options[chosen].id);
    return options[chosen].scrollIntoView({ block: "nearest" });
  }

  function show({ suggestions, products }) {
    const of = (test) => suggestions.filter(test).map(option);
    const found = [
      of((one) => one.kind === "query" && one.recent),
      of((one) => one.kind === "query" && !one.recent),
      of((one) => one.kind === "category"),
    ];
    const cards = products.map(productOption);
    options = [...found.flat(), ...cards];
    options.forEach((one, index) => (one.id = `suggestion-${index}`));
    const titles = [t("suggest.recent"), t(input.value.trim() ? "suggest.queries" : "suggest.popular"), t("suggest.categories")];
    const words = found.map((drawn, i) => group(titles[i], drawn));
    fill(list, found.flat().length > 0 && h("div", { class: "suggestions-words" }, words), group(t("suggest.products"), cards, "suggestions-products"));
    list.classList.toggle("has-products", cards.length > 0);
    chosen = -1;
    list.hidden = options.length === 0;
    input.setAttribute("aria-expanded", String(options.length > 0));
    input.removeAttribute("aria-activedescendant");
    status.textContent = tn("suggest.count", options.length);
  }

  async function answered(text, signal) {
    const known = kept.get(text);
    if (known) return known;
    const found = await typed(text, matchMedia(NARROW).matches ? MOST_ON_PHONE : MOST_PRODUCTS, signal);
    if (kept.size >= MOST_KEPT) kept.delete(kept.keys().next().value);
    kept.set(text, found);
    return found;
  }

  const ask = debounce(async () => {
    asking?.abort();
    const mine = (asking = new AbortController());
    try {
      const found = await answered(input.value.trim(), mine.signal);
      if (mine !== asking || mine.signal.aborted || document.activeElement !== input || composing) return;
      show({ ...found, suggestions: placed(found.suggestions) });
    } catch {
      /* no suggestions is what a shopper sees when there are none */
    }
  }, PAUSE_MS);

  function changed() {
    clear.hidden = input.value === "";
    if (composing) return; // letters that an input method has not made words of yet
    if (live()) box.dispatchEvent(new CustomEvent("aisle:query", { detail: input.value }));
    else ask();
  }

  input.addEventListener("compositionstart", () => (composing = true));
  input.addEventListener("compositionend", () => {
    composing = false;
    changed();
  });
  input.addEventListener("input", changed);
  input.addEventListener("focus", () => !live() && ask());
  clear.addEventListener("click", () => {
    input.value = "";
    changed();
    input.focus();
  });
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return; // Enter and arrows belong to the input method
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (list.hidden) return;
      event.preventDefault();
      choose(event.key === "ArrowDown" ? chosen + 1 : chosen < 0 ? options.length - 1 : chosen - 1);
    } else if (event.key === "Enter" && chosen >= 0) {
      event.preventDefault();
      location.assign(options[chosen].href);
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      close();
    }
  });
  box.querySelector("form").addEventListener("submit", (event) => {
    if (!live()) return;
    event.preventDefault();
    box.dispatchEvent(new CustomEvent("aisle:submit", { detail: input.value }));
    input.blur();
  });
  document.addEventListener("pointerdown", (event) => !box.contains(event.target) && close());
  box.addEventListener("focusout", (event) => event.relatedTarget && !box.contains(event.relatedTarget) && close());
  addEventListener("pageshow", () => (clear.hidden = input.value === ""));
}
