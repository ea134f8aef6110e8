"use strict";
(() => {
const find = (id) => document.getElementById(id);
const audio = find("audio");
const NARROW = matchMedia("(max-width: 60rem)");
audio.removeAttribute("controls");

// The last place whose time has come; -1 before the first.
function lastBefore(times, now) {
  let low = 0, high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= now) low = middle + 1; else high = middle;
  }
  return low - 1;
}

function clockTime(seconds) {
  const whole = Math.floor(Math.max(0, seconds) + 1e-6);
  const parts = [Math.floor(whole / 60) % 60, whole % 60];
  if (whole >= 3600) parts.unshift(Math.floor(whole / 3600));
  return parts.map((it, place) => (place ? String(it).padStart(2, "0") : it)).join(":");
}

const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

function element(name, content, attributes = {}) {
  const made = document.createElement(name);
  made.append(...[content].flat());
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function emit(name, detail) { document.dispatchEvent(new CustomEvent(name, { detail })); }

function wait(action, delay) {
  let timer = 0;
  return () => { clearTimeout(timer); timer = setTimeout(action, delay); };
}

let toasting = 0;
function say(sentence, action) {
  const toast = find("toast");
  toast.replaceChildren(sentence);
  if (action) {
    const button = element("button", action.name, { type: "button" });
    button.addEventListener("click", () => { toast.hidden = true; action.run(); });
    toast.append(" ", button);
  }
  toast.hidden = false;
  clearTimeout(toasting);
  toasting = setTimeout(() => { toast.hidden = true; }, action ? 9000 : 4000);
}

// The clipboard is closed to pages of another machine without TLS.
async function copy(text, done) {
  try { await navigator.clipboard.writeText(text); } catch {
    const area = element("textarea", text, { readonly: "", class: "unseen" });
    document.body.append(area);
    area.select();
    const isCopied = document.execCommand("copy");
    area.remove();
    if (!isCopied) return say("The browser does not let this page copy.");
  }
  return say(done);
}
