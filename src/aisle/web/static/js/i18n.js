// Words, numbers and money in the page's language.

const meta = (name) => document.querySelector(`meta[name="${name}"]`)?.content || "";

export const language = meta("aisle-language") || "en";
export const shopName = meta("aisle-shop");
export const shopCurrency = meta("aisle-currency") || "USD";
const locale = language === "zh" ? "zh-CN" : "en-US";
const messages = JSON.parse(document.getElementById("aisle-messages").textContent);
const plurals = new Intl.PluralRules(locale);
const numbers = new Intl.NumberFormat(locale);

/** The message of a key, with {names} filled in. */
export function t(key, values = {}) {
  const text = messages[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** The same for a counted thing: `key.one` or `key.other`. */
export function tn(key, n, values = {}) {
  const form = plurals.select(n) === "one" ? "one" : "other";
  return t(`${key}.${form}`, { n: number(n), ...values });
}

export const has = (key) => key in messages;
export const number = (n) => numbers.format(n);

/** {amount, currency} of the API's "52.00 USD"; null when there is none. */
export function parseMoney(text) {
  if (!text) return null;
  const [amount, currency] = String(text).split(" ");
  const value = Number(amount);
  return Number.isFinite(value) ? { amount: value, currency: currency || shopCurrency } : null;
}

export function money(amount, currency = shopCurrency, { short = false } = {}) {
  const whole = short && Number.isInteger(amount);
  try {
    return new Intl.NumberFormat(locale, {
      style: "currency",
      currency,
      currencyDisplay: "narrowSymbol",
      ...(whole ? { maximumFractionDigits: 0 } : {}),
    }).format(amount);
  } catch {
    return `${amount.toFixed(2)} ${currency}`;
  }
}

export const moneyText = (text) => {
  const value = parseMoney(text);
  return value ? money(value.amount, value.currency) : "";
};

/** A catalogue value as a shopper reads it: known words are translated, the rest stay as they are. */
export function valueName(field, value) {
  const key = (field === "color" ? "color." : "value.") + String(value).toLowerCase().replace(/ /g, "_");
  if (has(key) && (language !== "en" || field !== "color")) return t(key);
  return value ? value[0].toUpperCase() + value.slice(1) : value;
}

export function fieldName(field) {
  if (has(`facet.${field}`)) return t(`facet.${field}`);
  const words = field.replace(/^attributes?\./, "").replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export const dateText = (ms) => new Intl.DateTimeFormat(locale, { dateStyle: "medium" }).format(new Date(ms));
