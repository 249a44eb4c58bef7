// Building pages out of elements, never out of HTML text.

const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
  search: ["M11 4.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13", "m16 16 4.5 4.5"],
  close: ["m6 6 12 12", "M18 6 6 18"],
  next: ["m9 5 7 7-7 7"],
  prev: ["m15 5-7 7 7 7"],
  plus: ["M12 5v14", "M5 12h14"],
  minus: ["M5 12h14"],
  check: ["m5 12.5 4.5 4.5L19 7.5"],
  info: ["M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17", "M12 11v5", "M12 8v.01"],
  tag: ["M4 4h8l8 8-8 8-8-8z", "M8.5 8.5v.01"],
  spark: ["M12 3.5c.6 5 3.5 7.9 8.5 8.5-5 .6-7.9 3.5-8.5 8.5-.6-5-3.5-7.9-8.5-8.5 5-.6 7.9-3.5 8.5-8.5"],
  photo: ["M4 5h16v14H4z", "m4 16 4.5-4.5 4 4 3-3L20 17", "M15.5 9v.01"],
  dots: ["M5.5 12v.01", "M12 12v.01", "M18.5 12v.01"],
  hide: ["M4 4l16 16", "M10 5.6A9.6 9.6 0 0 1 12 5.4c5 0 8.4 4.2 9.5 6.6a14 14 0 0 1-2.6 3.6", "M6.4 7.3A13.6 13.6 0 0 0 2.5 12c1.100 2.400 4.500 6.600 9.500 6.600 1.500 0 2.900-.4 4.100-1"],
  share: ["M12 15V4", "m8 7.500 4-4 4 4", "M5 12.500V20h14v-7.500"],
  clock: ["M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17", "M12 7.500V12l3 2"],
  undo: ["M9 14 4 9l5-5", "M4 9h9a6 6 0 0 1 0 12h-2"],
};

export const $ = (id) => document.getElementById(id);

/** An element with properties and children. `class`, `dataset`, `on` and aria-… are understood; text is text. */
export function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (name === "dataset") {
      Object.assign(element.dataset, value);
    } else if (name === "vars") {
      for (const [variable, to] of Object.entries(value)) element.style.setProperty(variable, to);
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children) {
    if (Array.isArray(child)) append(element, child);
    else if (child !== undefined && child !== null && child !== false && child !== "") element.append(child);
  }
}

export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  for (const d of ICONS[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

const ENTITIES = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&#x27;": "'", "&amp;": "&" };

/** The API's highlighted text (escaped, with <em> around what matched) as nodes; nothing else in it is markup. */
export function emphasised(text) {
  return String(text)
    .split(/<(\/?)em>/)
    .reduce(
      (state, part, index) => {
        if (index % 2) return { ...state, inside: part !== "/" };
        const plain = part.replace(/&(?:lt|gt|quot|amp|#39|#x27);/g, (entity) => ENTITIES[entity]);
        if (plain) state.nodes.push(state.inside ? h("em", null, plain) : plain);
        return state;
      },
      { nodes: [], inside: false },
    ).nodes;
}

/** Only what an <img> or a link may safely point to. */
export function safeUrl(link) {
  if (!link) return "";
  try {
    const url = new URL(link, location.origin + "/");
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : "";
  } catch {
    return "";
  }
}

const placeholder = (label) => [icon("photo"), h("span", { class: "sr" }, label)];

/** A photo on its mat; when there is none, or it does not load, a quiet placeholder. */
export function photo(link, alt, { eager = false, missing = "", tag = "span", extra = "" } = {}) {
  const frame = h(tag, { class: `photo ${extra}`.trim() });
  const source = safeUrl(link);
  if (!source) return fill(frame, placeholder(missing));
  const image = h("img", { alt, decoding: "async", loading: eager ? "eager" : "lazy", fetchpriority: eager ? "high" : null });
  image.addEventListener("load", () => suit(image, frame));
  image.addEventListener("error", () => fill(frame, placeholder(missing)), { once: true });
  image.src = source;
  frame.append(image);
  return frame;
}

/** A cut-out on white that is wider than its frame is shown whole on the mat; a full picture fills the frame. */
function suit(image, frame) {
  const own = image.naturalWidth / image.naturalHeight;
  const held = frame.clientWidth / Math.max(1, frame.clientHeight);
  vote(own);
  if (own > held * 1.12) image.classList.toggle("contained", standsOnWhite(image));
}

function standsOnWhite(image) {
  try {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 8;
    const brush = canvas.getContext("2d", { willReadFrequently: true });
    brush.drawImage(image, 0, 0, 8, 8);
    return [[0, 0], [7, 0], [0, 7], [7, 7]].every(([x, y]) => {
      const [r, g, b, a] = brush.getImageData(x, y, 1, 1).data;
      return a < 30 || Math.min(r, g, b) > 246;
    });
  } catch {
    return true; // another site's picture, which may not be looked into
  }
}

// Cards take the shape that most of this shop's photos have: square, or 4:5.
const SHAPE = "aisle.shape";
const votes = { square: 0, tall: 0 };

function take(shape) {
  document.documentElement.style.setProperty("--photo-ratio", shape === "square" ? "1" : "0.8");
}

function vote(ratio) {
  votes[ratio > 0.93 ? "square" : "tall"] += 1;
  if (votes.square + votes.tall !== 8) return;
  const shape = votes.square > votes.tall ? "square" : "tall";
  try {
    // what the first page of the first visit shows stays for good, so that pages do not jump
    if (localStorage.getItem(SHAPE)) return;
    localStorage.setItem(SHAPE, shape);
  } catch {
    /* decided anew on every page then */
  }
  take(shape);
}

try {
  take(localStorage.getItem(SHAPE));
} catch {
  /* 4:5 */
}

/** Call `run` once typing has paused for `wait_ms`. */
export function debounce(run, waitMs) {
  let timer = 0;
  const later = (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => run(...values), waitMs);
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}

export function toast(message, action) {
  const box = h("div", { class: "toast" }, h("span", null, message));
  if (action) {
    const attributes = { class: "link-button" };
    box.append(
      action.href
        ? h("a", { ...attributes, href: action.href }, action.label)
        : h("button", { ...attributes, type: "button", on: { click: () => (box.remove(), action.run()) } }, action.label),
    );
  }
  fill($("toasts"), box);
  setTimeout(() => box.remove(), 6000);
}

export function wireDrawer(dialog) {
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[data-close]")) dialog.close();
  });
}
