// Charts, drawn by plotly with real units; colours come from the page's own tokens.

import { fill, h } from "./dom.js";
import { language, money, number, t } from "./i18n.js";

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const DAY = language === "zh" ? "%-m月%-d日" : "%-d %b";

function layout(more = {}) {
  const axis = { gridcolor: css("--line"), linecolor: css("--line"), zeroline: false, tickfont: { size: 11 }, fixedrange: true, automargin: true };
  const { xaxis, yaxis, ...rest } = more;
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: css("--ink-2") },
    margin: { l: 44, r: 8, t: 8, b: 32 },
    hovermode: "x unified",
    hoverlabel: { bgcolor: css("--raised"), bordercolor: css("--line-strong"), font: { color: css("--ink") } },
    legend: { orientation: "h", x: 0, y: 1.14, yanchor: "bottom" },
    dragmode: false,
    xaxis: { ...axis, showgrid: false, type: "date", tickformat: DAY, hoverformat: DAY, nticks: 7, ...xaxis },
    yaxis: { ...axis, rangemode: "tozero", nticks: 5, ...yaxis },
    ...rest,
  };
}

const plot = (id, traces, more) => globalThis.Plotly.react(id, traces, layout(more), { displayModeBar: false, responsive: true, scrollZoom: false });

function line(days, name, key, color, dash, value = (day) => day[key]) {
  return { type: "scatter", mode: days.length < 3 ? "lines+markers" : "lines", name, x: days.map((day) => day.date), y: days.map(value), line: { color: css(color), width: 2.25, dash, shape: "spline", smoothing: 0.4 } };
}

const rate = (part, whole) => (day) => (day[whole] ? (100 * day[part]) / day[whole] : null);

export function drawCharts({ days, totals }) {
  if (!globalThis.Plotly) return;
  const dates = days.map((day) => day.date);
  const sums = days.map((day) => day.revenue || 0);
  plot(
    "chart-revenue",
    [{ type: "bar", name: t("admin.revenue"), x: dates, y: sums, customdata: sums.map((sum) => money(sum, totals.currency)), hovertemplate: "%{customdata}<extra></extra>", marker: { color: css("--accent"), cornerradius: 3 } }],
    { bargap: 0.3, yaxis: { tickformat: "~s", title: { text: totals.currency, font: { size: 11 } } } },
  );
  plot("chart-traffic", [line(days, t("admin.sessions"), "sessions", "--accent"), line(days, t("admin.visitors"), "visitors", "--second", "dot")], { yaxis: { tickformat: "~s", title: { text: t("admin.per_day"), font: { size: 11 } } } });
  const rates = [line(days, t("admin.ctr"), "", "--accent", "solid", rate("clicks", "impressions")), line(days, t("admin.cvr"), "", "--second", "dot", rate("purchases", "sessions"))];
  for (const trace of rates) trace.hovertemplate = "%{y:.1f}%";
  plot("chart-rates", rates, { yaxis: { ticksuffix: "%" } });
  funnel(totals);
}

function funnel(totals) {
  const steps = ["impressions", "clicks", "carts", "purchases"];
  const counts = steps.map((name) => totals[name] || 0);
  const shares = counts.map((n, i) => (i === 0 || !counts[i - 1] ? "" : `${number(Math.round((1000 * n) / counts[i - 1]) / 10)}%`));
  plot(
    "chart-funnel",
    [
      {
        type: "bar",
        orientation: "h",
        y: steps.map((name) => t(`admin.f_${name}`)),
        // the steps differ by orders of magnitude, so the bars' lengths go by the logarithm; the figures are exact
        x: counts.map((n) => Math.log10(n + 1)),
        text: counts.map((n, i) => `${number(n)}${shares[i] ? `  (${shares[i]})` : ""}`),
        textposition: "auto",
        insidetextanchor: "start",
        hoverinfo: "skip",
        marker: { color: css("--accent"), cornerradius: 4 },
        insidetextfont: { color: css("--accent-ink") },
        outsidetextfont: { color: css("--ink") },
        cliponaxis: false,
      },
    ],
    { hovermode: false, margin: { l: 80, r: 24, t: 4, b: 8 }, bargap: 0.35, xaxis: { visible: false, type: "linear" }, yaxis: { autorange: "reversed", showgrid: false, type: "category" } },
  );
}

const MS = (value) => `${number(value < 10 ? Math.round(value * 10) / 10 : Math.round(value))} ms`;

/** Latency as two bars a kind of answer, on one scale. */
export function latency(target, found) {
  const kinds = Object.entries(found).filter(([, one]) => one && one.count > 0);
  if (!kinds.length) return fill(target, h("p", { class: "nothing" }, t("admin.none_latency")));
  const most = Math.max(...kinds.map(([, one]) => one.p99_ms), 0.1);
  const bar = (kind, key, value) => h("span", { class: kind, vars: { "--w": `${Math.max(1, (value / most) * 62)}%` } }, `${MS(value)} · ${t(key)}`);
  return fill(
    target,
    h(
      "ul",
      { class: "lat" },
      kinds.map(([name, one]) =>
        h("li", null, h("span", null, t(`admin.l_${name}`), h("span", { class: "small muted num" }, `${t("admin.answers")}: ${number(one.count)}`)), h("span", { class: "bars num" }, bar("p50", "admin.p50", one.p50_ms), bar("p99", "admin.p99", one.p99_ms))),
      ),
    ),
  );
}

/** One bar a source with its interval, in hundredths; an interval that holds 0 is drawn pale. */
export function bars(id, found, axis) {
  const rows = [...found].reverse();
  const hundred = (value) => 100 * value;
  const target = document.getElementById(id);
  target.style.height = `${Math.max(120, 70 + 30 * rows.length)}px`;
  plot(
    id,
    [
      {
        type: "bar",
        orientation: "h",
        y: rows.map((one) => one.source),
        x: rows.map((one) => hundred(one.value)),
        customdata: rows.map((one) => `${one.source}: ${number(Math.round(hundred(one.value) * 100) / 100)} [${number(Math.round(hundred(one.low) * 100) / 100)}, ${number(Math.round(hundred(one.high) * 100) / 100)}]`),
        hovertemplate: "%{customdata}<extra></extra>",
        error_x: { type: "data", symmetric: false, array: rows.map((one) => hundred(one.high - one.value)), arrayminus: rows.map((one) => hundred(one.value - one.low)), color: css("--ink-2"), thickness: 1.5, width: 4 },
        marker: { color: rows.map((one) => (one.low > 0 ? css("--accent") : css("--line-strong"))), cornerradius: 3 },
      },
    ],
    { hovermode: "closest", margin: { l: 8, r: 24, t: 4, b: 44 }, bargap: 0.45, xaxis: { type: "linear", tickformat: "", hoverformat: "", showgrid: true, zeroline: true, zerolinecolor: css("--line-strong"), title: { text: axis, font: { size: 11 } } }, yaxis: { showgrid: false, type: "category", rangemode: "normal", nticks: rows.length } },
  );
}

export const DASHES = ["solid", "dot", "dash", "longdash"];

/** Curves of one training over its steps: what was measured above, losses below, on one axis of steps. */
export function curves(target, { measures, losses, whole }) {
  if (!globalThis.Plotly) return;
  const trace = (axis, format) => (one) => ({
    type: "scatter",
    mode: one.steps.length < 12 ? "lines+markers" : "lines",
    marker: { size: 5 },
    name: one.label,
    x: one.steps,
    y: one.values,
    yaxis: axis,
    line: { color: css(one.held ? "--accent" : "--second"), width: one.held ? 2 : 1.25, dash: one.dash },
    hovertemplate: `%{y:${format}}`,
  });
  const both = measures.length > 0 && losses.length > 0;
  const shares = measures.length > 0 && whole;
  const titled = (text) => ({ text, font: { size: 11 }, standoff: 6 });
  const lower = { gridcolor: css("--line"), linecolor: css("--line"), zeroline: false, tickfont: { size: 11 }, fixedrange: true, automargin: true, nticks: 4, rangemode: "tozero", tickformat: "~g", title: titled(t("admin.m_loss")) };
  const upper = shares
    ? { range: [0, 1.03], tickvals: [0, 0.5, 1], tickformat: ".0%", title: titled(t("admin.held_out")) }
    : { rangemode: measures.length ? "normal" : "tozero", nticks: 4, tickformat: "~g", title: titled(t(measures.length ? "admin.held_out" : "admin.m_loss")) };
  plot(target, [...measures.map(trace("y", shares ? ".1%" : ".4~g")), ...losses.map(trace(both ? "y2" : "y", ".4~g"))], {
    showlegend: false, // the list below the chart names each line, beside what it came to
    margin: { l: 48, r: 8, t: 8, b: 36 },
    xaxis: { type: "linear", tickformat: "~s", hoverformat: ",d", nticks: 6, rangemode: "tozero", anchor: both ? "y2" : "y", title: { text: t("admin.step"), font: { size: 11 } } },
    yaxis: { ...upper, domain: both ? [0.55, 1] : [0, 1] },
    ...(both ? { yaxis2: { ...lower, domain: [0, 0.45] } } : {}),
  });
}

/** Take a chart away that is not shown any more. */
export const unplot = (target) => globalThis.Plotly?.purge(target);
