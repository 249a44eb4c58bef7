// Labels: the shop's own texts that are most worth one, a text at a time.

import { $, fill, h, icon } from "./dom.js";
import { number, t, tn } from "./i18n.js";

const percent = (share) => `${number(Math.round(100 * share))}%`;
const AT_ONCE = 20;
const BUTTONS = 9; // one for each number key
const LOOK_AGAIN_MS = 60_000;

/** Names in the order they already have on the page: a key keeps its label while somebody works. */
function inPlace(names, shown) {
  const fresh = new Map(names.map((one) => [one.name, one]));
  const kept = shown.filter((one) => fresh.has(one.name)).map((one) => fresh.get(one.name));
  return [...kept, ...names.filter((one) => !kept.includes(one))];
}

export function startLabelling(ask) {
  const root = $("labelling");
  const state = { desk: null, skipped: new Set(), past: [], typed: "", busy: false };
  const task = () => $("label-task").value;
  const path = () => `/v1/admin/labels/${task()}`;
  const next = () => state.desk?.queue.find((one) => !state.skipped.has(one.text));

  async function load() {
    const mine = task();
    try {
      const desk = await ask(`${path()}?limit=${Math.min(500, AT_ONCE + state.skipped.size)}`);
      if (mine !== task()) return;
      state.desk = { ...desk, names: inPlace(desk.names, state.desk?.names || []) };
      $("label-problem").replaceChildren();
      draw();
    } catch (error) {
      say(error, load);
    }
  }

  function say(error, again) {
    fill($("label-problem"), h("p", { class: "alert" }, t("admin.label_failed", { why: error.message }), again && h("button", { class: "link-button", type: "button", on: { click: again } }, t("admin.retry"))));
  }

  // ------------------------------------------------------------- doing

  /** One thing at a time, so that keys pressed fast never label a text that nobody has seen. */
  async function once(work) {
    if (state.busy) return;
    state.busy = true;
    try {
      await work();
      $("label-problem").replaceChildren();
    } catch (error) {
      say(error);
    } finally {
      state.busy = false;
    }
    if (state.desk && !next() && state.desk.n_waiting > state.skipped.size) await load();
  }

  const give = (name) =>
    once(async () => {
      const one = next();
      if (!one) return;
      await ask(path(), { text: one.text, label: name });
      const { desk } = state;
      desk.queue = desk.queue.filter((other) => other !== one);
      count(name, 1);
      desk.n_labels += 1;
      desk.n_waiting -= 1;
      state.past.push({ one, name });
      state.typed = "";
      draw();
      root.focus({ preventScroll: true });
    });

  const skip = () =>
    once(async () => {
      const one = next();
      if (!one) return;
      state.skipped.add(one.text);
      state.past.push({ one, name: null });
      draw();
      root.focus({ preventScroll: true });
    });

  const undo = () =>
    once(async () => {
      const last = state.past.at(-1);
      if (!last) return;
      const { desk } = state;
      if (last.name === null) state.skipped.delete(last.one.text);
      else {
        await ask(path(), { text: last.one.text, label: null });
        count(last.name, -1);
        desk.n_labels -= 1;
        desk.n_waiting += 1;
      }
      state.past.pop();
      desk.queue = [last.one, ...desk.queue.filter((other) => other.text !== last.one.text)];
      draw();
      root.focus({ preventScroll: true });
    });

  function count(name, by) {
    const { names } = state.desk;
    const known = names.find((one) => one.name === name);
    if (known) known.count += by;
    else names.push({ name, count: by });
  }

  // ----------------------------------------------------------- drawing

  function reasonText({ kind, value, names }) {
    if (kind === "asked") return tn("admin.why_asked", value);
    if (kind !== "doubt") return t(`admin.why_${kind}`, { n: percent(value) });
    const sure = value >= 2 * (1 - value);
    return t(sure ? "admin.why_leans" : "admin.why_doubt", { first: names[0], second: names[1], n: percent(value) });
  }

  const why = (one) => one.reasons.map(reasonText).join(t("admin.comma"));

  function choices() {
    const { names } = state.desk;
    return h(
      "div",
      { class: "label-names", role: "group", "aria-label": t("admin.label_choose") },
      names.slice(0, BUTTONS).map((one, i) =>
        h(
          "button",
          { class: "label-name", type: "button", "aria-keyshortcuts": String(i + 1), on: { click: () => give(one.name) } },
          h("kbd", { "aria-hidden": "true" }, String(i + 1)),
          h("span", null, one.name),
          one.count > 0 && h("span", { class: "num muted" }, number(one.count)),
        ),
      ),
    );
  }

  function field() {
    const input = h("input", { id: "label-new", name: "label", list: "label-known", maxlength: 100, autocomplete: "off", placeholder: t("admin.label_new"), "aria-label": t("admin.label_new") });
    input.value = state.typed;
    input.addEventListener("input", () => (state.typed = input.value));
    const send = (event) => {
      event.preventDefault();
      if (input.value.trim()) give(input.value.trim());
    };
    return h("form", { class: "label-form", on: { submit: send } }, h("div", { class: "field" }, input), h("datalist", { id: "label-known" }, state.desk.names.map((one) => h("option", { value: one.name }))), h("button", { class: "button", type: "submit" }, t("admin.label_save")));
  }

  function tools(one) {
    const tool = (sign, key, letter, run, off) => h("button", { class: "link-button", type: "button", disabled: off, "aria-keyshortcuts": letter, on: { click: run } }, icon(sign), t(key), " ", h("kbd", { "aria-hidden": "true" }, letter.toUpperCase()));
    return h("div", { class: "label-tools" }, one && tool("next", "admin.label_skip", "s", skip, false), tool("undo", "admin.label_undo", "u", undo, !state.past.length));
  }

  function draw() {
    const one = next();
    const { desk } = state;
    const shown = one
      ? [h("blockquote", { class: "label-text", lang: "" }, one.text), h("p", { class: "small muted label-why" }, why(one)), choices(), field()]
      : [h("p", { class: "nothing" }, t(desk.n_waiting ? "admin.label_skipped" : `admin.label_none_${desk.task}`))];
    fill($("label-card"), shown, tools(one));
    const command = `aisle labels SHOP --task ${desk.task} --out labels.csv`;
    fill($("label-told"), `${tn("admin.label_count", desk.n_labels)} ${t("admin.label_waiting", { n: number(desk.n_waiting) })} `, desk.n_labels > 0 && [t("admin.label_write"), " ", h("code", null, command)]);
  }

  // -------------------------------------------------------------- keys

  root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select") || !state.desk) return;
    const place = Number(event.key) - 1;
    const name = event.key.trim() && Number.isInteger(place) ? state.desk.names[place]?.name : undefined;
    const run = { s: skip, u: undo }[event.key.toLowerCase()] || (name !== undefined && place < BUTTONS ? () => give(name) : null);
    if (!run) return;
    event.preventDefault();
    run();
  });
  $("label-task").addEventListener("change", () => {
    Object.assign(state, { desk: null, skipped: new Set(), past: [], typed: "" });
    $("label-card").replaceChildren();
    $("label-told").replaceChildren();
    load();
  });
  // what shoppers asked meanwhile; a text that is being looked at stays where it is
  setInterval(() => document.visibilityState === "visible" && !next() && !state.busy && load(), LOOK_AGAIN_MS);
  load();
}
