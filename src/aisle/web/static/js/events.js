// What the shopper does, in GA4's words, to POST /v1/events.
//
// Every event has an id of its own and lies in an outbox (localStorage, one
// entry an event) until the API has acknowledged it. A page that is left before
// the answer came loses nothing: the next page sends what is still there, and
// the id makes a second sending harmless. Pages that depend on what was just
// done wait for `settled()` before they ask.

import { headers, sessionId, visitorId } from "./api.js";
import { shopCurrency } from "./i18n.js";

const BOX = "aisle.event.";
const OLDEST_MS = 24 * 3600 * 1000;
const BATCH = 50;
const underway = new Map();
const PLACE = document.querySelector('meta[name="aisle-place"]')?.content;
const CIRCUMSTANCES = { device: matchMedia("(pointer: coarse) and (max-width: 60rem)").matches ? "phone" : "desk", ...(PLACE ? { place: PLACE } : {}) };

function put(event) {
  try {
    localStorage.setItem(BOX + event.event_id, JSON.stringify(event));
  } catch {
    /* full or switched off: it is still sent, only not kept */
  }
}

function waiting() {
  const found = [];
  for (const name of Object.keys(localStorage)) {
    if (!name.startsWith(BOX)) continue;
    try {
      const event = JSON.parse(localStorage.getItem(name));
      if (Date.now() - event.time_ms > OLDEST_MS) localStorage.removeItem(name);
      else if (!underway.has(event.event_id)) found.push(event);
    } catch {
      localStorage.removeItem(name);
    }
  }
  return found.sort((a, b) => a.time_ms - b.time_ms).slice(0, BATCH);
}

async function deliver(events) {
  const response = await fetch("/v1/events", {
    method: "POST",
    headers: headers(),
    body: JSON.stringify({ events }),
    keepalive: true, // goes on although the page is left
    credentials: "same-origin",
  });
  await response.text(); // until it is read the request counts as going on
  // a refusal would be refused again: drop it; a fault of the server is tried again later
  if (response.ok || (response.status >= 400 && response.status < 500 && response.status !== 429)) {
    for (const event of events) localStorage.removeItem(BOX + event.event_id);
  }
}

function send(events) {
  const done = deliver(events)
    .catch(() => {})
    .finally(() => events.forEach((event) => underway.delete(event.event_id)));
  for (const event of events) underway.set(event.event_id, done);
  return done;
}

/** Record something; resolves when it is acknowledged (or could not be delivered now). */
export function track(name, { items = [], listId = "", query = "", value, rating, params } = {}) {
  const event = {
    name,
    event_id: crypto.randomUUID ? crypto.randomUUID() : `${visitorId}-${Date.now()}-${Math.random()}`,
    visitor_id: visitorId,
    session_id: sessionId,
    time_ms: Date.now(),
    items: items.map((item) => Object.fromEntries(Object.entries(item).filter(([, v]) => v !== undefined && v !== null && v !== ""))),
  };
  if (listId) event.list_id = listId;
  if (query) event.query = query;
  event.params = { ...CIRCUMSTANCES, ...params };
  if (rating) event.rating = rating;
  if (value !== undefined) Object.assign(event, { value: Math.round(value * 100) / 100, currency: shopCurrency });
  put(event);
  return send([event]);
}

/** Resolves when everything recorded so far is acknowledged, at the latest after `atMostMs`. */
export async function settled(atMostMs = 2000) {
  const left = waiting();
  if (left.length) send(left);
  await Promise.race([Promise.all(underway.values()), new Promise((done) => setTimeout(done, atMostMs))]);
}

// --------------------------------------------------- lists that are seen

const seen = new WeakMap(); // element -> {listId, listName, item, index, query}
const batches = new Map(); // listId -> entries that became visible
const timers = new Map(); // element -> timer
let flushTimer = 0;

function flushSeen() {
  clearTimeout(flushTimer);
  flushTimer = 0;
  for (const [listId, entries] of batches) {
    track("view_item_list", {
      listId,
      query: entries[0].query,
      items: entries.map((e) => ({ item_id: e.item, index: e.index, item_list_id: e.listName })),
    });
  }
  batches.clear();
}

function noteSeen(element) {
  const entry = seen.get(element);
  if (!entry) return;
  seen.delete(element);
  watcher.unobserve(element);
  if (!batches.has(entry.listId)) batches.set(entry.listId, []);
  batches.get(entry.listId).push(entry);
  flushTimer ||= setTimeout(flushSeen, 900);
}

// an impression is half of a card on the screen for a third of a second
const watcher = new IntersectionObserver(
  (changes) => {
    for (const { target, isIntersecting } of changes) {
      clearTimeout(timers.get(target));
      if (isIntersecting) timers.set(target, setTimeout(noteSeen, 330, target));
    }
  },
  { threshold: 0.5 },
);

/** Report a card once it has really been seen. */
export function watch(element, entry) {
  seen.set(element, entry);
  watcher.observe(element);
}

addEventListener("pagehide", flushSeen);
document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && flushSeen());

// ------------------------------------------------- where a click came from

/** A product was chosen from a list: recorded before the browser moves on. */
export function selected({ listId, listName, item, index, query }) {
  flushSeen();
  try {
    sessionStorage.setItem(`aisle.from.${item}`, JSON.stringify({ listId, listName, index, query }));
  } catch {
    /* the click is recorded all the same */
  }
  return track("select_item", { listId, query, items: [{ item_id: item, index, item_list_id: listName }] });
}

/** The list that led to a product in this session, if any. */
export function cameFrom(item) {
  try {
    return JSON.parse(sessionStorage.getItem(`aisle.from.${item}`)) || {};
  } catch {
    return {};
  }
}
