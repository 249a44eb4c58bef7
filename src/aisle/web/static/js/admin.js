// The shopkeeper's overview: what happened, why, and what to do.

import { latency, drawCharts } from "./admin-charts.js";
import { itemOf, startFeed } from "./admin-feed.js";
import { chosen, drawSources, metricsOf } from "./admin-models.js";
import { advise, changes } from "./admin-advice.js";
import { startLabelling } from "./admin-labels.js";
import { refreshTrainings } from "./admin-trainings.js";
import { $, fill, h, icon, photo } from "./dom.js";
import { dateText, language, money, number, t } from "./i18n.js";

const REFRESH_MS = 60_000;
const LOW_RATE = 0.15;
const GOOD_RATE = 0.35;
const FEW = 5;
const TOP_ITEMS = 10;
const locale = language === "zh" ? "zh-CN" : "en-US";
const percent = (share, digits = 1) => new Intl.NumberFormat(locale, { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits }).format(share);

/** GET a path of the admin's API or, with a body, POST it. */
export async function ask(path, body = undefined) {
  const headers = { Accept: "application/json", ...(body === undefined ? {} : { "Content-Type": "application/json" }) };
  const response = await fetch(path, { method: body === undefined ? "GET" : "POST", body: body && JSON.stringify(body), credentials: "same-origin", headers });
  if (response.status === 401 || response.status === 403) {
    location.assign("/admin/login");
    throw new Error(t("admin.expired"));
  }
  const found = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(found.detail || `HTTP ${response.status}`);
  return found;
}

// ----------------------------------------------------------------- tiles

function change(name, now, days) {
  const part = changes[name](now);
  if (part === null) return h("span", { class: "change" }, t("admin.no_change"));
  const sign = part.by > 0 ? "+" : part.by < 0 ? "−" : "±";
  const size = part.points ? t("admin.points", { n: number(Math.abs(Math.round(part.by * 10000) / 100)) }) : percent(Math.abs(part.by), 0);
  return h("span", { class: `change ${part.by > 0 ? "up" : part.by < 0 ? "down" : ""}` }, h("b", { class: "num" }, sign + size), ` ${t("admin.vs", { n: days })}`);
}

function tiles(view) {
  const { totals } = view;
  const currency = totals.currency;
  const n = Number($("days").value);
  const tile = (name, value, help) =>
    h("div", { dataset: { tile: name } }, h("dt", null, t(`admin.${name}`)), h("dd", { class: "value" }, value), h("dd", null, change(name, view, n)), help && h("dd", { class: "help" }, help));
  fill(
    $("tiles"),
    tile("revenue", money(totals.revenue >= 1000 ? Math.round(totals.revenue) : totals.revenue || 0, currency, { short: true }), t("admin.revenue_help", { currency })),
    tile("orders", number(totals.purchases || 0), totals.purchases ? `${t("admin.aov")}: ${money(totals.revenue / totals.purchases, currency)}` : ""),
    tile("sessions", number(totals.sessions || 0), t("admin.sessions_help")),
    tile("ctr", percent(totals.ctr || 0), t("admin.ctr_help")),
    tile("cvr", percent(totals.cvr || 0), t("admin.cvr_help")),
    tile("searches", number(totals.searches || 0)),
  );
}

// ---------------------------------------------------------------- tables

function table(target, columns, rows, nothing) {
  if (!rows.length) return fill($(target), h("p", { class: "nothing" }, nothing));
  return fill(
    $(target),
    h(
      "table",
      null,
      h("thead", null, h("tr", null, columns.map(([name, kind]) => h("th", { class: kind || null, scope: "col" }, name)))),
      h("tbody", null, rows.map((cells) => h("tr", null, cells.map((cell, i) => h("td", { class: columns[i][1] || null }, cell))))),
    ),
  );
}

const searchLink = (query) => h("a", { href: `/search?query=${encodeURIComponent(query)}`, target: "_blank", rel: "noopener", title: t("admin.try_it") }, query);

function hint(one) {
  if (one.count < FEW) return t("admin.hint_few");
  const rate = one.clicks / one.count;
  return t(rate < LOW_RATE ? "admin.hint_low" : rate < GOOD_RATE ? "admin.hint_mid" : "admin.hint_good");
}

function tables(view) {
  const top = view.top_queries || [];
  const most = Math.max(1, ...top.map((one) => one.count));
  table(
    "top-queries",
    [[t("admin.query")], [t("admin.count"), "n"], [t("admin.click_rate"), "n"], [t("admin.hint")]],
    top.slice(0, 12).map((one) => [
      [searchLink(one.query), h("span", { class: "bar", vars: { "--share": `${(one.count / most) * 100}%` } })],
      number(one.count),
      number(Math.round((10 * (one.clicks || 0)) / one.count) / 10),
      h("span", { class: "hint" }, hint({ count: one.count, clicks: one.clicks || 0 })),
    ]),
    t("admin.none_queries"),
  );
  table("zero-queries", [[t("admin.query")], [t("admin.count"), "n"]], (view.zero_result_queries || []).slice(0, 12).map((one) => [searchLink(one.query), number(one.count)]), top.length ? t("admin.none_zero") : t("admin.none_queries"));
  table(
    "top-items",
    [[t("admin.product")], [t("admin.views"), "n"], [t("admin.f_carts"), "n"], [t("admin.bought"), "n"], [t("admin.revenue"), "n"]],
    view.top_items.map((one) => [
      h("div", { class: "with-photo" }, photo(one.image_link, ""), h("a", { href: `/p/${encodeURIComponent(one.item_id)}`, target: "_blank", rel: "noopener" }, one.title || one.item_id)),
      number(one.views || 0),
      number(one.carts || 0),
      number(one.purchases || 0),
      money(one.revenue || 0, view.totals.currency),
    ]),
    t("admin.none_items"),
  );
  table(
    "models",
    [[t("admin.model")], [t("admin.version")], [t("admin.trained")], [""], [t("admin.metrics")]],
    chosen(view.models || []).map((one) => [
      one.name,
      h("code", { class: "num" }, one.version),
      one.created_ms ? dateText(one.created_ms) : "",
      h("span", { class: one.active ? "mark on" : "mark" }, t(one.active ? "admin.serving" : "admin.kept")),
      metricsOf(one),
    ]),
    t("admin.none_models"),
  );
}

function engine(view) {
  latency($("latency"), view.latency || {});
  const found = view.catalogue || {};
  const behind = Math.max(0, (found.seq || 0) - (found.index_seq || 0));
  fill(
    $("catalogue"),
    h("dl", { class: "facts" }, [["admin.n_products", found.n_products], ["admin.n_groups", found.n_groups], ["admin.changes", found.seq]].flatMap(([key, value]) => [h("dt", null, t(key)), h("dd", null, number(value || 0))])),
    h("p", { class: behind ? "status late" : "status" }, behind ? t("admin.index_behind", { n: number(behind) }) : t("admin.index_fresh")),
  );
}

const SIGN = { bad: "info", warn: "info", good: "check" };

function drawAdvice(view) {
  fill($("advice"), advise(view, percent).map((one) => h("li", { class: one.kind }, icon(SIGN[one.kind]), h("span", null, one.href ? h("a", { href: one.href, target: "_blank", rel: "noopener" }, one.text) : one.text))));
}

/** Product names and photos, which the figures do not carry. */
async function withTitles(items) {
  const shown = items.slice(0, TOP_ITEMS);
  const found = await Promise.all(shown.map((one) => (one.title ? one : itemOf(ask, one.item_id))));
  return shown.map((one, i) => ({ ...one, title: found[i].title, image_link: found[i].image_link }));
}

// ------------------------------------------------------------------ page

let asked = 0;

async function refresh() {
  const mine = ++asked;
  const n = Number($("days").value);
  refreshTrainings(ask);
  try {
    const view = await ask(`/v1/admin/overview?days=${n}`);
    if (mine !== asked) return;
    // a shop younger than the period starts on its first day, not with a flat line
    const first = view.days.findIndex((day) => day.sessions || day.impressions || day.views);
    const days = first > 0 && view.days.length - first >= 2 ? view.days.slice(first) : view.days;
    const whole = { ...view, days, top_items: await withTitles(view.top_items || []) };
    $("problem").replaceChildren();
    drawAdvice(whole);
    tiles(whole);
    tables(whole);
    engine(whole);
    drawCharts(whole);
    drawSources(whole.models || []);
    $("updated").textContent = t("admin.updated", { time: new Intl.DateTimeFormat(locale, { timeStyle: "medium" }).format(new Date()) });
  } catch (error) {
    if (mine !== asked) return;
    fill($("problem"), h("p", { class: "alert" }, t("admin.failed", { why: error.message }), h("button", { class: "link-button", type: "button", on: { click: refresh } }, t("admin.retry"))));
  }
}

const url = new URL(location.href);
if (url.searchParams.has("lang")) {
  url.searchParams.delete("lang");
  history.replaceState(null, "", url);
}
$("days").addEventListener("change", refresh);
setInterval(() => document.visibilityState === "visible" && refresh(), REFRESH_MS);
refresh();
startFeed(ask);
startLabelling(ask);
