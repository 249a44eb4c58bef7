// The bag: kept in this browser.

const KEPT = "aisle.cart";

export function lines() {
  try {
    const found = JSON.parse(localStorage.getItem(KEPT));
    return Array.isArray(found) ? found.filter((line) => line && line.item_id && line.quantity > 0) : [];
  } catch {
    return [];
  }
}

function write(all) {
  try {
    localStorage.setItem(KEPT, JSON.stringify(all));
  } catch {
    /* full: the bag stays as it was */
  }
  dispatchEvent(new CustomEvent("aisle:cart"));
}

/** `line`: {item_id, title, option, price, currency, image_link, quantity, list_id, list_name}. */
export function add(line) {
  const all = lines();
  const same = all.find((one) => one.item_id === line.item_id);
  if (same) same.quantity = Math.min(99, same.quantity + line.quantity);
  else all.push(line);
  write(all);
}

export function setQuantity(itemId, quantity) {
  write(lines().map((line) => (line.item_id === itemId ? { ...line, quantity: Math.max(1, Math.min(99, quantity)) } : line)));
}

export const remove = (itemId) => write(lines().filter((line) => line.item_id !== itemId));
export const empty = () => write([]);
export const count = () => lines().reduce((sum, line) => sum + line.quantity, 0);
export const total = () => lines().reduce((sum, line) => sum + line.quantity * (line.price || 0), 0);

/** The bag's lines as GA4 items. */
export const asItems = (all = lines()) =>
  all.map((line, index) => ({ item_id: line.item_id, price: line.price ?? undefined, quantity: line.quantity, index, item_list_id: line.list_name }));

/** The list every line came from, when it is one and the same. */
export function commonList(all = lines()) {
  const ids = new Set(all.map((line) => line.list_id || ""));
  return ids.size === 1 ? [...ids][0] : "";
}

// what was looked at last, newest first, for "picked up where you left off"
const RECENT = "aisle.recent";

export function recent() {
  try {
    const found = JSON.parse(localStorage.getItem(RECENT));
    return Array.isArray(found) ? found.filter((one) => one && one.item_id) : [];
  } catch {
    return [];
  }
}

export function noteViewed(product) {
  const kept = recent().filter((one) => one.group_id !== product.group_id);
  try {
    localStorage.setItem(RECENT, JSON.stringify([product, ...kept].slice(0, 12)));
  } catch {
    /* full: the row only shows older ones */
  }
}
