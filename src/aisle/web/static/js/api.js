// The public /v1 API, and who is asking.

import { language } from "./i18n.js";

const KEY = document.querySelector('meta[name="aisle-key"]')?.content || "";

function kept(storage, name) {
  const made = crypto.randomUUID ? crypto.randomUUID() : Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
  try {
    const found = storage.getItem(name);
    if (found) return found;
    storage.setItem(name, made);
  } catch {
    /* storage is switched off: this page is a visitor of its own */
  }
  return made;
}

export const visitorId = kept(localStorage, "aisle.visitor");
export const sessionId = kept(sessionStorage, "aisle.session");
document.cookie = `aisle_visitor=${visitorId}; Path=/; Max-Age=31536000; SameSite=Lax`;

/** Forget this browser's shopper: what follows is somebody new. */
export function startFresh() {
  for (const storage of [localStorage, sessionStorage]) {
    for (const name of Object.keys(storage)) if (name.startsWith("aisle.")) storage.removeItem(name);
  }
}

export class ApiError extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `HTTP ${status}`);
    this.status = status;
  }
}

async function call(path, options) {
  const response = await fetch(path, options);
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new ApiError(response.status, body);
  return body;
}

export const headers = () => ({ ...(KEY ? { "X-Aisle-Key": KEY } : {}), "Content-Type": "application/json" });

/** GET /v1/…; parameters that are empty are left out, lists are repeated. */
export function get(path, parameters = {}, signal = undefined) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null && one !== "") query.append(name, one);
    }
  }
  const { "Content-Type": _, ...send } = headers();
  const text = query.toString();
  return call(text ? `${path}?${text}` : path, { headers: send, signal, credentials: "same-origin" });
}

export const post = (path, body, { keepalive = false } = {}) =>
  call(path, { method: "POST", headers: headers(), body: JSON.stringify(body), keepalive, credentials: "same-origin" });

export const search = (parameters, signal) =>
  get("/v1/search", { ...parameters, visitor_id: visitorId, session_id: sessionId, language }, signal);

export const recommend = (surface, parameters = {}, signal) =>
  get(`/v1/recommend/${surface}`, { ...parameters, visitor_id: visitorId, language }, signal);

export { language };

/** What the search box shows while one types: suggestions, and beside them products. */
export const typed = (query, products, signal) => get("/v1/suggest", { query, visitor_id: visitorId, top_k: 7, n_products: products }, signal);

export const suggest = (query, signal) => get("/v1/suggest", { query, visitor_id: visitorId, top_k: 10 }, signal);

export const item = (itemId) => get(`/v1/items/${encodeURIComponent(itemId)}`);

let shopAnswer;
export const shop = () => (shopAnswer ??= get("/v1/shop").catch(() => ({ categories: [] })));

// ------------------------------------------------------------ addresses

export const productUrl = (itemId) => `/p/${encodeURIComponent(itemId)}`;
export const categoryUrl = (path) => "/c/" + path.split(" > ").map(encodeURIComponent).join("/");
export const searchUrl = (query) => "/search" + (query ? `?query=${encodeURIComponent(query)}` : "");
