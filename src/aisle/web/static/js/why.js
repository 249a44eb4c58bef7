// The small menu of a card: why the product is here, and what to say about it.

import { h, icon } from "./dom.js";
import { follows, notInterested, setFollow } from "./feedback.js";
import { t } from "./i18n.js";

let open = null;

function close(focus = false) {
  if (!open) return;
  const { menu, button } = open;
  open = null;
  menu.remove();
  button.setAttribute("aria-expanded", "false");
  if (focus) button.focus();
}

addEventListener("click", (event) => open && !open.menu.contains(event.target) && !open.button.contains(event.target) && close());
addEventListener("keydown", (event) => event.key === "Escape" && close(true));

const line = (sign, text, run) => h("button", { type: "button", class: "why-act", on: { click: () => (close(), run()) } }, icon(sign), h("span", null, text));

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** The button that opens it; `element` is the card it stands on. */
export function whyButton(product, list, element) {
  const button = h("button", { class: "icon-button why-button", type: "button", "aria-haspopup": "true", "aria-expanded": "false", "aria-label": t("why.label", { title: product.title }) }, icon("dots"));
  const hidden = h("p", { class: "card-gone" }, t("feedback.gone"));
  const hide = () => (element.classList.add("is-gone"), element.append(hidden));
  const show = () => (element.classList.remove("is-gone"), hidden.remove());
  button.addEventListener("click", () => {
    const again = open?.button === button;
    close();
    if (again) return;
    const reasons = (product.reasons || []).filter((one) => one.text);
    const on = product.brand && follows("brand", product.brand);
    const menu = h(
      "div",
      { class: "why", role: "group", "aria-label": t("why.title") },
      reasons.length > 0 && h("p", { class: "why-title" }, t("why.title")),
      reasons.length > 0 && h("ul", null, reasons.map((one) => h("li", null, capital(one.text)))),
      line("hide", t("feedback.not_interested"), () => notInterested(product, list, hide, show)),
      product.brand && line(on ? "check" : "plus", t(on ? "follow.stop" : "follow.start", { name: product.brand }), () => setFollow("brand", product.brand, !on)),
    );
    element.append(menu);
    button.setAttribute("aria-expanded", "true");
    open = { menu, button };
    menu.querySelector("button")?.focus({ preventScroll: true });
  });
  return button;
}
