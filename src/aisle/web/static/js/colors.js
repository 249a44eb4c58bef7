// Names of colours to the colour of a dot.

const NAMED = {
  black: "#1c1c1e", white: "#ffffff", gray: "#8e8e93", grey: "#8e8e93", silver: "#c5c8cd", charcoal: "#3d4147",
  red: "#c8312b", burgundy: "#6d1f2f", maroon: "#6b1f24", wine: "#6d1f2f", crimson: "#b1223a", coral: "#f0755f",
  pink: "#eda3b9", rose: "#d9718b", magenta: "#c2327f", fuchsia: "#c2327f", orange: "#e8792e", rust: "#a44a23",
  terracotta: "#b95d3f", peach: "#f5bd9a", apricot: "#f3b37b", yellow: "#f0c93a", mustard: "#c99a1e", gold: "#c9a13b",
  brass: "#b08d3c", bronze: "#8c6239", copper: "#b0653a", brown: "#7a5236", chocolate: "#5a3825", tan: "#c9a37c",
  camel: "#bf9263", beige: "#dfcfb5", sand: "#d8c6a3", cream: "#f4ead5", ivory: "#f6f1e3", khaki: "#a79a6b",
  natural: "#dcc9a6", oak: "#c59d6b", walnut: "#6c4a34", wood: "#a9794f", olive: "#6c6b35", green: "#3d8b57",
  sage: "#a3b39a", mint: "#a5d9c1", forest: "#23513a", emerald: "#1f8a62", lime: "#a5c93a", teal: "#1f7f82",
  turquoise: "#38b5b0", aqua: "#6cc7cf", cyan: "#39b5cf", blue: "#3167b8", navy: "#1f2d4f", indigo: "#3d3f87",
  sky: "#8bbfe8", denim: "#47658f", cobalt: "#2448a5", slate: "#66727f", purple: "#7a4aa3", violet: "#7e57c2",
  lavender: "#b9a5dc", lilac: "#c8a8d9", plum: "#6d345f", mauve: "#a7808f",
};

const RAINBOW = "conic-gradient(#c8312b, #f0c93a, #3d8b57, #3167b8, #7a4aa3, #c8312b)";

const CHINESE = { 黑: "black", 白: "white", 灰: "gray", 红: "red", 粉: "pink", 橙: "orange", 黄: "yellow", 棕: "brown", 米: "beige", 绿: "green", 青: "teal", 蓝: "blue", 紫: "purple", 金: "gold", 银: "silver" };

/** A CSS colour for a colour's name ("Dark Olive", "heather gray", "深蓝"); "" when it names none. */
export function colorOf(name) {
  const text = String(name).toLowerCase().trim();
  if (/multi|rainbow|assorted|彩|多色/.test(text)) return RAINBOW;
  if (text.includes("transparent") || text === "clear") return "#eef2f5";
  const words = text.split(/[^a-z]+/).filter(Boolean);
  let base = NAMED[words.join("")] || words.map((word) => NAMED[word]).filter(Boolean).at(-1);
  if (!base) base = Object.entries(CHINESE).find(([sign]) => text.includes(sign))?.[1];
  if (!base) return "";
  base = NAMED[base] || base;
  if (/dark|deep|深/.test(text)) return `color-mix(in oklab, ${base} 72%, black)`;
  if (/light|pale|pastel|浅|淡/.test(text)) return `color-mix(in oklab, ${base} 55%, white)`;
  return base;
}
