// Elements in few words. Text is set as text, so nothing that a feed or a transcript says becomes markup.

export const find = (id) => document.getElementById(id);

export function make(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("aria-") || name === "role") made.setAttribute(name, value);
    else if (name === "class") made.className = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made[name] = value;
  }
  made.append(...children.filter((it) => it || it === 0));
  return made;
}

export function button(text, label, act) {
  const made = make("button", { type: "button", "aria-label": label }, text);
  made.addEventListener("click", () => {
    made.disabled = true;
    Promise.resolve(act()).finally(() => { made.disabled = false; });
  });
  return made;
}

let pause = null;
export function announce(text) {  // to screen readers
  clearTimeout(pause);
  pause = setTimeout(() => { find("live").textContent = text; }, 100);
}
