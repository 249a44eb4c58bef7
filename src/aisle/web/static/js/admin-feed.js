// What shoppers do, as it happens: asked for each second while somebody looks.

import { $, h } from "./dom.js";
import { has, language, money, number, t } from "./i18n.js";

const EVERY_MS = 1000;
const SHOWN = 60;
const AT_ONCE = 40;
const titles = new Map();

/** A product's title by its id, asked for once. */
async function title(ask, itemId) {
  if (!titles.has(itemId)) {
    if (titles.size > 500) titles.delete(titles.keys().next().value);
    titles.set(itemId, ask(`/v1/items/${encodeURIComponent(itemId)}`).then((item) => item.title, () => itemId));
  }
  return titles.get(itemId);
}

/** The log's {seq, event} and a flat event are the same to us. */
const flat = (one) => ({ ...(one.event || one), seq: one.seq });

function sums(event) {
  if (event.name !== "purchase" || !event.value) return "";
  const [amount, currency] = String(event.value).split(" ");
  return Number.isFinite(Number(amount)) ? money(Number(amount), currency || event.currency) : "";
}

function line(ask, event) {
  const items = event.items || [];
  const what = h("b");
  const key = `admin.e_${event.name}`;
  if (event.name === "search" || (!items.length && event.query)) what.textContent = `“${event.query || ""}”`;
  else if (items.length > 1) what.textContent = [t("admin.n_items", { n: number(items.length) }), sums(event)].filter(Boolean).join(", ");
  else if (items.length === 1) {
    what.textContent = items[0].title || items[0].item_id;
    if (!items[0].title) title(ask, items[0].item_id).then((found) => (what.textContent = [found, sums(event)].filter(Boolean).join(", ")));
  }
  const at = new Date(event.time_ms);
  const time = new Intl.DateTimeFormat(language === "zh" ? "zh-CN" : "en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(at);
  return h(
    "li",
    { class: event.name === "purchase" ? "sale" : null },
    h("span", null, has(key) ? t(key) : event.name, " ", what),
    h("time", { datetime: at.toISOString() }, time),
    h("span", { class: "who" }, t("admin.visitor", { id: String(event.visitor_id || "").slice(0, 8) })),
  );
}

export function startFeed(ask) {
  const feed = $("feed");
  const times = [];
  let last = 0;
  let paused = false;
  let busy = false;

  function setPaused(on) {
    paused = on;
    $("pause").textContent = t(on ? "admin.feed_resume" : "admin.feed_pause");
    $("pause").setAttribute("aria-pressed", String(on));
    $("pulse").classList.toggle("is-paused", on);
  }

  async function step() {
    if (paused || busy || document.visibilityState !== "visible") return;
    busy = true;
    try {
      const { events } = await ask(`/v1/admin/events?after_seq=${last}&limit=${AT_ONCE}`);
      const fresh = events.map(flat).filter((event) => event.seq > last);
      for (const event of fresh) times.push(event.time_ms);
      if (fresh.length) {
        last = Math.max(...fresh.map((event) => event.seq));
        feed.prepend(...fresh.sort((a, b) => b.seq - a.seq).map((event) => line(ask, event)));
        while (feed.children.length > SHOWN) feed.lastElementChild.remove();
      }
      $("feed-empty").hidden = feed.children.length > 0;
    } catch {
      /* the next second may do better; a lost session has already led to the login */
    } finally {
      busy = false;
    }
    const since = Date.now() - 60_000;
    while (times.length && times[0] < since) times.shift();
    $("per-minute").textContent = number(times.filter((time) => time >= since).length);
  }

  $("pause").addEventListener("click", () => setPaused(!paused));
  document.addEventListener("visibilitychange", step);
  setInterval(step, EVERY_MS);
  step();
}
