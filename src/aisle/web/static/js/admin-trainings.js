// Trainings on the shop's own labels: one small chart each, followed while one runs.

import { curves, DASHES, unplot } from "./admin-charts.js";
import { $, fill, h } from "./dom.js";
import { has, language, number, t } from "./i18n.js";

const FOLLOW_MS = 5_000;
const COMMAND = "aisle tune SHOP --task intent --data labels.csv";
const locale = language === "zh" ? "zh-CN" : "en-US";
const asPercent = (share) => new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 }).format(share);
const round = (value) => number(Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3)));
const shown = new Map(); // key of a training -> its sheet, so that a chart is redrawn and not made anew

const methodName = (method) => (has(`admin.method_${method}`) ? t(`admin.method_${method}`) : method);

/** "held/macro_f1" -> what it is, on what, and how it is called. */
function described(curve) {
  const [part, ...rest] = curve.name.split("/");
  const measure = rest.join("/") || part;
  const plain = has(`admin.m_${measure}`) ? t(`admin.m_${measure}`) : measure.replaceAll("_", " ");
  const held = part === "held";
  const label = held ? t("admin.c_held", { name: plain }) : part === "train" ? t("admin.c_train", { name: plain }) : plain;
  return { ...curve, held, measure, plain, label };
}

/** What is drawn: losses, and all that was measured on what was held out; not what the recipe set itself, such as the rate. */
function parted(training) {
  const all = training.curves.map(described).filter((one) => one.steps.length);
  const losses = all.filter((one) => one.measure.endsWith("loss"));
  const measures = all.filter((one) => one.held && !losses.includes(one)).map((one, i) => ({ ...one, dash: DASHES[i % DASHES.length] }));
  const whole = measures.every((one) => one.values.every((value) => value >= 0 && value <= 1));
  return { losses, measures, whole };
}

/** The chart's legend: each line with what it was at the beginning and what it came to. */
function legend({ measures, losses, whole }) {
  const text = (one, value) => (whole && measures.includes(one) ? asPercent(value) : round(value));
  return [...measures, ...losses].map((one) => {
    const [first, last] = [one.values[0], one.values.at(-1)];
    return h(
      "li",
      null,
      h("span", { class: `key ${one.held ? "held" : "train"} ${one.dash || ""}`, "aria-hidden": "true" }),
      h("span", null, one.label),
      h("b", { class: "num" }, one.values.length > 1 ? `${text(one, first)} → ${text(one, last)}` : text(one, last)),
    );
  });
}

function when(ms) {
  const at = new Date(ms);
  const today = new Date().toDateString() === at.toDateString();
  return new Intl.DateTimeFormat(locale, today ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" }).format(at);
}

function sheet() {
  const parts = { title: h("h3"), mark: h("span"), told: h("p", { class: "small muted" }), chart: h("div", { class: "chart curves", role: "img" }), legend: h("ul", { class: "legend" }) };
  const root = h("section", { class: "sheet training" }, h("header", null, h("div", { class: "sheet-head" }, parts.title, parts.mark), parts.told), parts.chart, parts.legend);
  return { root, ...parts };
}

function draw(training, part) {
  const method = methodName(training.method);
  fill(part.title, `${training.name} `, h("span", { class: "muted" }, method));
  part.mark.className = training.running ? "mark on running" : "mark";
  part.mark.textContent = t(training.running ? "admin.runs_now" : "admin.run_ended");
  part.told.textContent = t("admin.run_steps", { n: number(training.n_steps), time: when(training.changed_ms) });
  part.chart.setAttribute("aria-label", t("admin.train_chart", { name: training.name, method }));
  const found = parted(training);
  const something = found.losses.length + found.measures.length > 0;
  if (something) curves(part.chart, found);
  else fill(part.chart, h("p", { class: "nothing" }, t(training.running ? "admin.no_curves" : "admin.no_curves_ended")));
  part.chart.classList.toggle("chart", something);
  fill(part.legend, legend(found));
}

function drawAll(found) {
  const target = $("trainings");
  const keys = new Set(found.map((one) => `${one.name}-${one.method}`));
  for (const [key, part] of shown) {
    if (keys.has(key)) continue;
    unplot(part.chart);
    shown.delete(key);
  }
  if (!found.length) return fill(target, h("section", { class: "sheet wide" }, h("p", { class: "nothing" }, emptyText())));
  for (const one of found) if (!shown.has(`${one.name}-${one.method}`)) shown.set(`${one.name}-${one.method}`, sheet());
  const roots = found.map((one) => shown.get(`${one.name}-${one.method}`).root);
  // moving an element that has not changed its place would make a reader of the page lose theirs
  if (roots.length !== target.children.length || roots.some((root, i) => target.children[i] !== root)) fill(target, roots);
  for (const one of found) draw(one, shown.get(`${one.name}-${one.method}`));
  return target;
}

function emptyText() {
  const [before, after] = t("admin.none_trainings", { command: "\0" }).split("\0");
  return [before, h("code", null, COMMAND), after];
}

let timer = 0;

/** Read and draw; again after a few seconds for as long as one runs and somebody looks. */
export async function refreshTrainings(ask) {
  clearTimeout(timer);
  try {
    const { trainings } = await ask("/v1/admin/trainings");
    drawAll(trainings);
    if (trainings.some((one) => one.running)) timer = setTimeout(() => document.visibilityState === "visible" && refreshTrainings(ask), FOLLOW_MS);
  } catch (error) {
    shown.clear();
    fill($("trainings"), h("p", { class: "alert" }, t("admin.trainings_failed", { why: error.message }), h("button", { class: "link-button", type: "button", on: { click: () => refreshTrainings(ask) } }, t("admin.retry"))));
  }
}
