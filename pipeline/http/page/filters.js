// Which episodes are listed. The filter is in the address, so that Back and a link lead to the same list.

import { announce, find, make } from "./element.js";
import { loadJobs, wanted } from "./jobs.js";

const GROUPS = { "": "All", open: "In progress", done: "Done", attention: "Needs attention", cancelled: "Cancelled" };
let pause = null;

export function startFilters() {
  const given = new URLSearchParams(location.search);
  for (const name of Object.keys(wanted)) wanted[name] = given.get(name) || "";
  find("text").value = wanted.text;
  find("groups").append(...Object.entries(GROUPS).map(([group, name]) => {
    const made = make("button", { type: "button" }, name, make("span", { class: "number" }));
    made.dataset.group = group;
    made.addEventListener("click", () => choose({ state: group }));
    return made;
  }));
  find("text").addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(() => choose({ text: find("text").value.trim() }), 250);
  });
  find("show").addEventListener("change", () => choose({ show: find("show").value }));
  document.addEventListener("show-all", () => choose({ state: "", show: "", text: "", batch: "" }));
  mark();
}

export function choose(parts) {
  Object.assign(wanted, parts);
  if (!wanted.text && document.activeElement !== find("text")) find("text").value = "";
  remember(wanted);
  mark();
  loadJobs(0).catch((error) => announce(error.message));
}

export function remember(parts) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(parts)) if (value) query.set(name, value); else query.delete(name);
  history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
}

function mark() {
  for (const it of find("groups").children) it.setAttribute("aria-pressed", String(it.dataset.group === wanted.state));
  find("batch").hidden = !wanted.batch;
}

export function drawCounts(overview) {
  const all = Object.values(overview.groups).reduce((sum, it) => sum + it, 0);
  for (const it of find("groups").children) {
    const count = it.dataset.group ? overview.groups[it.dataset.group] || 0 : all;
    it.querySelector(".number").textContent = ` ${count.toLocaleString()}`;
    it.hidden = count === 0 && Boolean(it.dataset.group) && wanted.state !== it.dataset.group;
  }
  find("filters").hidden = all === 0;
  drawShows(overview.shows);
}

function drawShows(shows) {
  const select = find("show");
  select.hidden = shows.length === 0;
  if (select.dataset.key === shows.join("\n")) return;
  select.dataset.key = shows.join("\n");
  select.replaceChildren(make("option", { value: "" }, "All shows"), ...shows.map((it) => make("option", { value: it }, it)));
  select.value = wanted.show;
}
