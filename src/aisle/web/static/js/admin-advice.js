// What the figures say should be done.

import { number, t } from "./i18n.js";

const MOVED = 0.1; // a rate or sum that moved by a tenth is worth a line
const ENOUGH = 20; // sessions or searches below which nothing is concluded
const LOW_RATE = 0.15;

const share = (part, whole) => (whole ? part / whole : null);

const counted = (name) => ({ totals, previous }) => (previous?.[name] ? { by: (totals[name] || 0) / previous[name] - 1 } : null);

const rated = (part, whole) => ({ totals, previous }) => {
  const before = share(previous?.[part] || 0, previous?.[whole]);
  const now = share(totals[part] || 0, totals[whole]);
  return before === null || now === null ? null : { by: now - before, points: true, relative: before ? now / before - 1 : 0 };
};

/** How each tile moved against the period before; null when there is nothing to compare with. */
export const changes = {
  revenue: counted("revenue"),
  orders: counted("purchases"),
  sessions: counted("sessions"),
  searches: counted("searches"),
  ctr: rated("clicks", "impressions"),
  cvr: rated("purchases", "sessions"),
};

/** Lines {kind: bad|warn|good, text, href?}, the most urgent first. */
export function advise(view, percent) {
  const lines = [];
  const say = (kind, key, values = {}, href = "") => lines.push({ kind, text: t(key, values), href });
  const find = (query) => `/search?query=${encodeURIComponent(query)}`;
  const catalogue = view.catalogue || {};
  const behind = (catalogue.seq || 0) - (catalogue.index_seq || 0);
  if (behind > 0) say("bad", "admin.advice_stale", { n: number(behind) });
  if (!view.totals.sessions) {
    lines.push({ kind: "warn", text: `${t("admin.empty_title")}. ${t("admin.empty_help")}` });
    return lines;
  }
  const enough = (view.previous?.sessions || 0) >= ENOUGH && view.totals.sessions >= ENOUGH;
  for (const [name, key] of [["ctr", "admin.advice_ctr_down"], ["cvr", "admin.advice_cvr_down"]]) {
    const moved = enough && changes[name](view);
    if (moved && moved.relative < -MOVED) say("bad", key, { n: percent(-moved.relative, 0) });
  }
  const zero = (view.zero_result_queries || [])[0];
  if (zero && zero.count > 1) say("warn", "admin.advice_zero", { query: zero.query, count: number(zero.count) }, find(zero.query));
  const low = (view.top_queries || []).find((one) => one.count >= ENOUGH && (one.clicks || 0) / one.count < LOW_RATE);
  if (low) say("warn", "admin.advice_low", { query: low.query, count: number(low.count), rate: percent((low.clicks || 0) / low.count, 0) }, find(low.query));
  if (!(view.models || []).some((one) => one.active)) say("warn", "admin.advice_train");
  const earned = enough && changes.revenue(view);
  const best = [...(view.top_items || [])].sort((a, b) => (b.revenue || 0) - (a.revenue || 0))[0];
  if (earned && earned.by > MOVED && best) say("good", "admin.advice_revenue_up", { n: percent(earned.by, 0), title: best.title || best.item_id }, `/p/${encodeURIComponent(best.item_id)}`);
  if (!lines.length) say("good", "admin.advice_fine");
  return lines.slice(0, 5);
}
