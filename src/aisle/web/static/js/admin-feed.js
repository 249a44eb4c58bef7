// What shoppers do, as it happens: asked for each second while somebody looks.

import { $, h } from "./dom.js";
import { has, language, money, number, t } from "./i18n.js";

const EVERY_MS = 1000;
const SHOWN = 60;
const AT_ONCE = 40;
const KEPT = 500;
const items = new Map();

/** A product's {title, image_link} by its id, asked for once. */
export async function itemOf(ask, itemId) {
  if (!items.has(itemId)) {
    if (items.size > KEPT) items.delete(items.keys().next().value);
    items.set(itemId, ask(`/v1/items/${encodeURIComponent(itemId)}`).catch(() => ({ title: itemId, image_link: "" })));
  }
  return items.get(itemId);
}

/** The log's {seq, event} and a flat event are the same to us. */
const flat = (one) => ({ ...(one.event || one), seq: one.seq });

const brief = (id) => (id.length > 14 ? id.slice(0, 8) : id);

function sums(event) {
  if (event.name !== "purchase" || !event.value) return "";
  const [amount, currency] = String(event.value).split(" ");
  return Number.isFinite(Number(amount)) ? money(Number(amount), currency || event.currency) : "";
}

function line(ask, event) {
  const named = event.items || [];
  const what = h("b");
  const key = `admin.e_${event.name}`;
  if (event.name === "search" || (!named.length && event.query)) what.textContent = `“${event.query || ""}”`;
  else if (named.length > 1) what.textContent = [t("admin.n_items", { n: number(named.length) }), sums(event)].filter(Boolean).join(", ");
  else if (named.length === 1) {
    what.textContent = named[0].item_id;
    itemOf(ask, named[0].item_id).then((found) => (what.textContent = [found.title, sums(event)].filter(Boolean).join(", ")));
  }
  const at = new Date(event.time_ms);
  const time = new Intl.DateTimeFormat(language === "zh" ? "zh-CN" : "en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(at);
  return h(
    "li",
    { class: event.name === "purchase" ? "sale" : null },
    h("span", null, has(key) ? t(key) : event.name, " ", what),
    h("time", { datetime: at.toISOString() }, time),
    h("span", { class: "who" }, t("admin.visitor", { id: brief(String(event.visitor_id || "")) })),
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
