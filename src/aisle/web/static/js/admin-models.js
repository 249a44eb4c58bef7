// Which models serve, how good they were on held-out traffic, and what each source of recommendations adds.

import { bars } from "./admin-charts.js";
import { $, fill, h } from "./dom.js";
import { has, number, t } from "./i18n.js";

const NEWEST = 14;
const FEW = 6;
const round = (value, digits = 3) => number(Math.round(value * 10 ** digits) / 10 ** digits);
const named = (source) => (has(`admin.s_${source}`) ? t(`admin.s_${source}`) : source.replaceAll("_", " "));
const points = (value) => `${value > 0 ? "+" : value < 0 ? "−" : "±"}${number(Math.abs(Math.round(value * 1000) / 10))}`;

/** The versions to show: of each model the one that serves, else the newest; then older ones while there is room. */
export function chosen(models) {
  const newest = [...models].sort((a, b) => b.created_ms - a.created_ms);
  const first = new Map();
  for (const one of newest) if (one.active || !first.has(one.name)) first.set(one.name, one.active ? one : first.get(one.name) || one);
  const leading = [...first.values()].sort((a, b) => Number(b.active) - Number(a.active) || a.name.localeCompare(b.name));
  return [...leading, ...newest.filter((one) => !leading.includes(one))].slice(0, Math.max(NEWEST, leading.length));
}

/** `name`, `name_low`, `name_high` of every source that has them, the largest first. */
function intervals(metrics, name) {
  const end = `.${name}`;
  return Object.keys(metrics)
    .filter((key) => key.endsWith(end) && `${key}_low` in metrics)
    .map((key) => ({ source: key.slice(0, -end.length), value: metrics[key], low: metrics[`${key}_low`], high: metrics[`${key}_high`] }))
    .sort((a, b) => b.value - a.value);
}

/** The cell of a version's metrics: for each source recall and its gain over popularity, else whatever was measured. */
export function metricsOf(one) {
  const metrics = one.metrics || {};
  const gains = intervals(metrics, "gain");
  const parts = gains.map(({ source, value, low, high }) =>
    h("span", null, `${named(source)}: `, h("b", null, round(metrics[`${source}.recall@20`] ?? 0)), ` ${t("admin.recall")}, `, h("b", null, points(value)), ` [${points(low)}, ${points(high)}]`),
  );
  const others = parts.length ? [] : Object.entries(metrics).filter(([, value]) => typeof value === "number").slice(0, FEW);
  return h(
    "div",
    { class: "metrics" },
    parts,
    others.map(([name, value]) => h("span", null, `${name.replaceAll("_", " ")} `, h("b", null, round(value)))),
    one.note && h("span", { class: "muted" }, one.note),
  );
}

/** What each source adds to all the others, from the newest combination; before there is one, what it gains over popularity. */
export function drawSources(models) {
  const newest = [...models].sort((a, b) => Number(b.active) - Number(a.active) || b.created_ms - a.created_ms);
  const combined = newest.find((one) => intervals(one.metrics || {}, "adds").length);
  let found = combined ? intervals(combined.metrics, "adds") : [];
  if (!found.length) {
    const seen = new Map();
    for (const one of chosen(models)) for (const gain of intervals(one.metrics || {}, "gain")) if (!seen.has(gain.source)) seen.set(gain.source, gain);
    found = [...seen.values()].sort((a, b) => b.value - a.value);
  }
  $("sources-help").textContent = t(combined ? "admin.adds_help" : "admin.gain_help");
  if (!found.length || !globalThis.Plotly) return fill($("chart-sources"), h("p", { class: "nothing" }, t("admin.none_sources")));
  return bars("chart-sources", found.slice(0, 20).map((one) => ({ ...one, source: named(one.source) })), combined ? t("admin.adds_axis") : t("admin.gain_axis"));
}
