// What a shopper says outright: not this, more of that brand, so many stars. Obeyed at once, and taken back with one click.

import { t } from "./i18n.js";
import { toast } from "./dom.js";
import { settled, track } from "./events.js";

const FOLLOWED = "aisle.follows";

function followed() {
  try {
    const found = JSON.parse(localStorage.getItem(FOLLOWED));
    return Array.isArray(found) ? found : [];
  } catch {
    return [];
  }
}

const keyOf = (kind, name) => `${kind}:${name}`;

export const follows = (kind, name) => followed().includes(keyOf(kind, name));

/** The next answers know it once it is acknowledged: pages listen for this to ask again. */
const told = () => settled(1500).then(() => dispatchEvent(new CustomEvent("aisle:feedback")));

/** Follow a `brand` or a `product_type`, or stop; `done` is called with how it stands then. */
export function setFollow(kind, name, on, done = () => {}) {
  const others = followed().filter((one) => one !== keyOf(kind, name));
  try {
    localStorage.setItem(FOLLOWED, JSON.stringify(on ? [...others, keyOf(kind, name)] : others));
  } catch {
    /* the shop knows it all the same; only the button forgets */
  }
  track("follow", { params: on ? { [kind]: name } : { [kind]: name, undo: true } });
  done(on);
  dispatchEvent(new CustomEvent("aisle:follow", { detail: { kind, name, on } }));
  const label = name.split(" > ").at(-1);
  toast(t(on ? "follow.done" : "follow.undone", { name: label }), { label: t("cart.undo"), run: () => setFollow(kind, name, !on, done) });
  return told();
}

/** Turn a product away; `hide` and `show` say what that does to the page. */
export function notInterested(product, list, hide, show) {
  const items = [{ item_id: product.item_id, index: product.position, item_list_id: list.name }];
  hide();
  track("not_interested", { listId: list.id, items });
  toast(t("feedback.hidden"), {
    label: t("cart.undo"),
    run() {
      track("not_interested", { listId: list.id, items, params: { undo: true } });
      show();
      told();
    },
  });
  return told();
}

export const rate = (itemId, rating) => track("rate", { items: [{ item_id: itemId }], rating });

export async function share(product) {
  const url = location.href;
  track("share", { items: [{ item_id: product.item_id }] });
  try {
    if (navigator.share) return await navigator.share({ title: product.title, url });
    await navigator.clipboard.writeText(url);
    toast(t("share.copied"));
  } catch {
    /* called off, or not allowed: the address is in the address bar */
  }
  return undefined;
}
