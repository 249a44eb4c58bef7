// The product page: photos, choice of variant, price, stock, reviews, and what goes with it.

import "./header.js";
import { categoryUrl, item as fetchItem, recommend } from "./api.js";
import { dot, price, rating, row, stars } from "./card.js";
import * as cart from "./cart.js";
import { colorOf } from "./colors.js";
import { $, fill, h, icon, photo, toast } from "./dom.js";
import { cameFrom, settled, track } from "./events.js";
import { follows, notInterested, rate, setFollow, share } from "./feedback.js";
import { dateText, fieldName, number, parseMoney, shopName, t, tn, valueName } from "./i18n.js";
import { content, readingRow } from "./reading.js";

const ITEM = decodeURIComponent(location.pathname.slice(3));
const DIMENSIONS = ["color", "size", "material"];
const LOW_STOCK = 5;
const FIRST_REVIEWS = 6;
const COMPLEMENTS = new Set(["goes_with", "goes_with_bought", "bought_together"]);

const buyable = (variant) => variant.availability !== "out_of_stock";

/** What all variants' titles begin with: "Chaz Hoodie-XS-Black", "Chaz Hoodie-M-Red" is the "Chaz Hoodie". */
function groupTitle(product) {
  const titles = product.variants.map((one) => one.title).filter(Boolean);
  if (titles.length < 2) return product.title;
  let common = titles[0];
  for (const title of titles) while (!title.startsWith(common)) common = common.slice(0, -1);
  if (common.length < titles[0].length && !/[\s\-–—,/|(]$/.test(common)) common = common.replace(/[^\s\-–—,/|(]*$/, "");
  common = common.replace(/[\s\-–—,/|(]+$/, "");
  return common.length >= 4 ? common : product.title;
}

function photosOf(product, variant) {
  const same = product.variants.filter((one) => one.color === variant.color);
  const own = [variant, ...same].flatMap((one) => [one.image_link, ...(one.additional_image_links || [])]).filter(Boolean);
  const all = own.length && product.variants.length > 1 && variant.color ? own : [...own, ...product.images];
  return [...new Set(all)];
}

function gallery(product, variant, title) {
  const links = photosOf(product, variant);
  const frame = photo(links[0], title, { eager: true, missing: t("no_photo"), extra: "main" });
  const box = h("div", { class: links.length > 1 ? "gallery" : "gallery single" }, frame);
  if (links.length < 2) return box;
  const buttons = links.map((link, i) =>
    h(
      "button",
      { type: "button", "aria-label": t("product.photo", { n: i + 1, total: links.length }), "aria-pressed": String(i === 0), on: { click: () => show(i) } },
      photo(link, ""),
    ),
  );
  function show(i) {
    buttons.forEach((button, j) => button.setAttribute("aria-pressed", String(i === j)));
    box.querySelector(".main").replaceWith(photo(links[i], title, { eager: true, missing: t("no_photo"), extra: "main" }));
  }
  box.append(h("div", { class: "thumbs", role: "group", "aria-label": t("product.photos") }, buttons));
  return box;
}

// -------------------------------------------------------------- variants

function dimensions(product) {
  return DIMENSIONS.filter((name) => new Set(product.variants.map((one) => one[name] || "")).size > 1);
}

/** The variant closest to a wish: with the value just chosen, the other values kept if there is such a one. */
function resolve(product, names, current, name, value) {
  const having = product.variants.filter((one) => one[name] === value);
  const kept = (one) => names.filter((other) => other !== name && one[other] === current[other]).length;
  return having.sort((a, b) => kept(b) - kept(a) || buyable(b) - buyable(a))[0] || current;
}

function picker(product, names, current, choose) {
  return names.map((name) => {
    const values = [...new Set(product.variants.map((one) => one[name] || ""))].filter(Boolean);
    const others = names.filter((other) => other !== name);
    const possible = (value) =>
      product.variants.some((one) => one[name] === value && buyable(one) && (name === "color" || others.every((other) => one[other] === current[other])));
    const swatches = name === "color" && values.every(colorOf);
    return h(
      "fieldset",
      { dataset: { dimension: name } },
      h("legend", null, `${fieldName(name)}: `, h("b", null, valueName(name, current[name]))),
      h(
        "div",
        { class: swatches ? "swatches" : "sizes" },
        values.map((value) => {
          const free = possible(value);
          const label = free ? valueName(name, value) : t("product.unavailable_option", { name: valueName(name, value) });
          const input = h("input", { type: "radio", name: `variant-${name}`, value, id: `variant-${name}-${value}`, "aria-label": label, disabled: !free && value !== current[name] });
          input.checked = value === current[name];
          input.addEventListener("change", () => choose(resolve(product, names, current, name, value), input.id));
          return h("label", { class: `${swatches ? "swatch" : ""}${free ? "" : " is-off"}`, title: label }, input, swatches ? dot(value) : h("span", null, valueName(name, value)));
        }),
      ),
    );
  });
}

/** Variants that differ in nothing we can name: a list of their titles. */
function plainPicker(product, current, choose) {
  const select = h("select", { class: "select", id: "variant", "aria-label": t("product.choose", { name: "" }) }, product.variants.map((one) => h("option", { value: one.item_id, disabled: !buyable(one) }, one.title)));
  select.value = current.item_id;
  select.addEventListener("change", () => choose(product.variants.find((one) => one.item_id === select.value), "variant"));
  return select;
}

function stock(variant) {
  if (!buyable(variant)) return h("p", { class: "stock out" }, t("sold_out"));
  const n = variant.quantity;
  if (variant.availability !== "in_stock") return h("p", { class: "stock" }, t(`value.${variant.availability}`));
  if (Number.isInteger(n) && n > 0 && n <= LOW_STOCK) return h("p", { class: "stock low" }, t("product.low", { n: number(n) }));
  return h("p", { class: "stock" }, t("product.in_stock"));
}

// ------------------------------------------------------------- the parts

function description(text) {
  const blocks = [];
  for (const line of text.split(/\n+/).map((one) => one.trim()).filter(Boolean)) {
    const bullet = /^[•·*-]\s*/.exec(line);
    if (!bullet) blocks.push(h("p", null, line));
    else if (blocks.at(-1)?.tagName === "UL") blocks.at(-1).append(h("li", null, line.slice(bullet[0].length)));
    else blocks.push(h("ul", null, h("li", null, line.slice(bullet[0].length))));
  }
  return h("div", { class: "prose" }, blocks);
}

const unfold = (title, body, open) => h("details", { class: "unfold", open }, h("summary", null, title), body);

function specs(product, variant) {
  const pairs = [
    ["brand", product.brand],
    ["material", variant.material || product.material],
    ["pattern", product.pattern],
    ["gender", product.gender && valueName("gender", product.gender)],
    ["age_group", product.age_group && valueName("age_group", product.age_group)],
    ...Object.entries(product.attributes || {}).map(([name, values]) => [name, [values].flat().filter((value) => !/^no$/i.test(value)).join(", ")]),
  ];
  const said = new Set();
  const rows = pairs.filter(([name, value]) => value && !said.has(name) && said.add(name));
  if (!rows.length) return null;
  return h("dl", { class: "specs" }, rows.flatMap(([name, value]) => [h("dt", null, fieldName(name)), h("dd", null, value)]));
}

function reviews(product) {
  if (!product.reviews?.length) return null;
  const counts = [5, 4, 3, 2, 1].map((star) => product.reviews.filter((one) => Math.round(one.rating) === star).length);
  const all = Math.max(1, product.reviews.length);
  const one = (review) =>
    h(
      "li",
      { class: "review" },
      stars(review.rating),
      review.title && h("h3", null, review.title),
      h("p", null, review.text),
      h("p", { class: "small" }, [review.reviewer || t("product.anonymous"), review.time_ms ? dateText(review.time_ms) : ""].filter(Boolean).join(", ")),
    );
  const list = h("ul", { class: "review-list" }, product.reviews.slice(0, FIRST_REVIEWS).map(one));
  const rest = product.reviews.slice(FIRST_REVIEWS);
  const others = h("button", { class: "button quiet", type: "button", on: { click: () => (list.append(...rest.map(one)), others.remove()) } }, t("product.more_reviews"));
  return h(
    "section",
    { class: "row", id: "reviews" },
    h("div", { class: "row-head" }, h("h2", null, t("product.reviews"))),
    h(
      "div",
      { class: "reviews" },
      h(
        "div",
        { class: "reviews-sum" },
        h("p", { class: "big num" }, number(Math.round(product.rating * 10) / 10)),
        h("p", { class: "rating" }, stars(product.rating), tn("n_reviews", product.n_reviews)),
        h("ul", { class: "bars" }, counts.map((n, i) => h("li", null, h("span", { class: "num" }, number(5 - i)), h("i", { vars: { "--fill": `${(n / all) * 100}%` } }), h("span", { class: "num" }, number(n))))),
      ),
      h("div", null, list, rest.length > 0 && others),
    ),
  );
}

function crumbs(product, title) {
  const parts = product.product_type ? product.product_type.split(" > ") : [];
  fill(
    $("crumbs"),
    h("li", null, h("a", { href: "/" }, t("home.title"))),
    parts.map((name, i) => h("li", null, h("a", { href: categoryUrl(parts.slice(0, i + 1).join(" > ")) }, name))),
    h("li", null, h("span", { "aria-current": "page" }, title)),
  );
}

// ------------------------------------------------------ what is said of it

function brandLine(brand) {
  const button = h("button", { class: "link-button small follow", type: "button", id: "follow-brand" });
  const draw = (on) => {
    button.setAttribute("aria-pressed", String(on));
    fill(button, icon(on ? "check" : "plus"), h("span", null, t(on ? "follow.on" : "follow.off")));
  };
  draw(follows("brand", brand));
  button.setAttribute("aria-label", t("follow.start", { name: brand }));
  button.addEventListener("click", () => setFollow("brand", brand, !follows("brand", brand), draw));
  return h("p", { class: "brand-line" }, h("span", null, brand), button);
}

function tools(product, title, current, from) {
  const away = h("button", { class: "link-button small", type: "button", id: "not-interested" }, icon("hide"), h("span", null, t("feedback.not_interested")));
  const was = (on) => () => (away.disabled = on);
  away.addEventListener("click", () => notInterested({ item_id: current.item_id, position: from.index }, { id: from.listId || "", name: from.listName || "product" }, was(true), was(false)));
  const send = h("button", { class: "link-button small", type: "button", on: { click: () => share({ item_id: current.item_id, title }) } }, icon("share"), h("span", null, t("share")));
  const thanks = h("span", { class: "small muted", role: "status" });
  const marks = [1, 2, 3, 4, 5].map((n) =>
    h("button", { type: "button", class: "mark-star", "aria-label": t("rate.give", { n }), on: { click: () => (rate(current.item_id, n), light(n), (thanks.textContent = t("rate.thanks"))) } }),
  );
  const light = (n) => marks.forEach((mark, i) => mark.classList.toggle("is-on", i < n));
  return h("div", { class: "said" }, h("div", { class: "said-acts" }, send, away), h("div", { class: "said-rate", role: "group", "aria-label": t("rate.title") }, h("span", { class: "small muted" }, t("rate.title")), h("span", { class: "mark-stars" }, marks), thanks));
}

// -------------------------------------------------------------- the page

function draw(product) {
  const title = groupTitle(product);
  const names = dimensions(product);
  const distinct = new Set(product.variants.map((one) => names.map((name) => one[name]).join("|"))).size === product.variants.length;
  const from = cameFrom(ITEM);
  let current = product.variants.find((one) => one.item_id === product.item_id) || product.variants.find(buyable) || product.variants[0] || product;
  const pictures = h("div");
  const buy = h("div", { class: "buy" });
  let drawnPhotos = "";

  const choose = (variant, focus) => {
    current = variant;
    history.replaceState(null, "", `/p/${encodeURIComponent(variant.item_id)}`);
    redraw();
    if (focus) $(focus)?.focus();
  };

  const put = () => {
    const now = parseMoney(current.sale_price) || parseMoney(current.price);
    const option = DIMENSIONS.slice(0, 2).map((name) => current[name] && valueName(name, current[name])).filter(Boolean).join(", ");
    cart.add({
      item_id: current.item_id,
      title,
      option: product.variants.length > 1 ? option : "",
      price: now?.amount ?? null,
      currency: now?.currency,
      image_link: current.image_link || product.image_link,
      quantity: 1,
      list_id: from.listId || "",
      list_name: from.listName || "",
    });
    track("add_to_cart", { listId: from.listId, value: now?.amount, items: [{ item_id: current.item_id, price: now?.amount, quantity: 1, item_list_id: from.listName }] });
    toast(t("product.added"), { href: "/cart", label: t("product.go_cart") });
  };

  function redraw() {
    const links = photosOf(product, current).join("\n");
    if (links !== drawnPhotos) fill(pictures, gallery(product, current, title));
    drawnPhotos = links;
    const details = specs(product, current);
    fill(
      buy,
      h("div", null, product.brand && brandLine(product.brand), h("h1", null, title)),
      price(current),
      product.n_reviews > 0 && h("a", { href: "#reviews", class: "rating" }, rating(product)),
      distinct ? picker(product, names, current, choose) : plainPicker(product, current, choose),
      stock(current),
      h("button", { class: "button big block", type: "button", id: "add-to-cart", disabled: !buyable(current), on: { click: put } }, buyable(current) ? t("product.add") : t("sold_out")),
      h(
        "div",
        null,
        product.description && unfold(t("product.description"), description(product.description), true),
        details && unfold(t("product.details"), details, false),
      ),
      tools(product, title, current, from),
      h("p", { class: "small muted" }, t("product.item_number", { id: current.item_id })),
    );
  }

  document.title = `${title} – ${shopName}`;
  crumbs(product, title);
  redraw();
  fill($("product"), h("div", { class: "product" }, pictures, buy));
  return { title, from, current };
}

async function rows(product) {
  const ask = (surface) => recommend(surface, { item_id: product.item_id, top_k: 14 }).catch(() => null);
  const [together, similar, complementary, readings] = await Promise.all([ask("together"), ask("similar"), ask("complementary"), content(product.item_id)]);
  const apart = (complementary?.hits || []).some((hit) => (hit.reasons || []).some((r) => COMPLEMENTS.has(r.kind)));
  const bought = together?.hits.some((hit) => (hit.reasons || []).some((r) => !["similar_to", "trending", "new_here"].includes(r.kind)));
  const kinds = new Set(bought ? together.hits.flatMap((hit) => (hit.reasons || []).map((r) => r.kind)) : []);
  const named = t(kinds.has("bought_together") || !kinds.has("viewed_together") ? "product.together" : "product.viewed");
  const one = (answer, title, id, reason) => answer?.hits.length && row(title, answer.hits, { id: answer.list_id, name: answer.surface }, { id, reason });
  const guides = readings.filter((reading) => reading.kind === "page");
  fill(
    $("rows"),
    apart && one(complementary, t("product.complementary"), "row-complementary", "row"),
    one(similar, t("product.similar"), "row-similar", "row"),
    bought && one(together, named, "row-together", "row"),
    readingRow(t("product.guides"), guides, "row-guides"),
    reviews(product),
  );
}

async function missing() {
  document.title = `${t("product.missing")} – ${shopName}`;
  fill($("product"), h("div", { class: "empty" }, h("h1", null, t("product.missing")), h("p", { class: "muted" }, t("product.missing_help")), h("a", { class: "button", href: "/" }, t("checkout.home"))));
  const trending = await recommend("trending", { top_k: 12 }).catch(() => null);
  if (trending?.hits.length) fill($("rows"), row(t("home.popular"), trending.hits, { id: trending.list_id, name: "trending" }, { reason: "" }));
}

async function open() {
  let product;
  try {
    product = await fetchItem(ITEM);
  } catch (error) {
    if (error.status === 404) return missing();
    const again = h("button", { class: "button quiet", type: "button", on: { click: open } }, t("retry"));
    return fill($("product"), h("div", { class: "empty" }, h("h1", null, t("offline")), again));
  }
  if (!product.variants?.length) product.variants = [product];
  const { title, from, current } = draw(product);
  const now = parseMoney(current.sale_price) || parseMoney(current.price);
  cart.noteViewed({ item_id: product.item_id, group_id: product.group_id, title, image_link: current.image_link || product.image_link });
  track("view_item", { listId: from.listId, value: now?.amount, items: [{ item_id: product.item_id, price: now?.amount, index: from.index, item_list_id: from.listName }] });
  await settled(1200);
  return rows(product);
}

open();
