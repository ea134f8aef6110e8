// Searching what was said; the words are in the address, so that Back from the player finds them again.

import { ask } from "./api.js";
import { find, make } from "./element.js";
import { remember } from "./filters.js";
import { hms, many } from "./words.js";

const PAGE = 30;
let pause = null, turn = 0, shown = 0;

export function startSearch() {
  find("query").value ||= new URLSearchParams(location.search).get("q") || "";
  if (find("query").value) search(0);
}

async function search(offset) {
  clearTimeout(pause);
  const words = find("query").value.trim();
  const own = ++turn;
  remember({ q: words });
  find("found").hidden = !words;
  if (!words) return;
  try {
    const found = await ask(`search?${new URLSearchParams({ q: words, limit: PAGE, offset })}`);
    if (own !== turn) return;  // something else is looked for by now
    if (offset === 0) { find("places").replaceChildren(); shown = 0; }
    group(found.places).forEach(([name, places]) => add(name, places, words));
    shown += found.places.length;
    find("more-places").hidden = shown >= found.count;
    const count = found.count ? many(found.count, "place") : "Nothing found";
    find("count").textContent = found.unread ? `${count}; ${many(found.unread, "transcript")} still to be read` : count;
    if (found.unread) pause = setTimeout(() => search(0), 700);
  } catch (error) {
    find("count").textContent = error.message;
  }
}

function group(places) {
  const found = new Map();
  for (const place of places) found.set(place.job, [...(found.get(place.job) || []), place]);
  return [...found.entries()];
}

function add(job, places, words) {
  let row = find("places").querySelector(`[data-job="${job}"]`);
  if (!row) {
    const { name, show } = places[0];
    row = make("li", {}, make("h3", {}, name, show ? make("small", {}, ` ${show}`) : ""), make("ul"));
    row.dataset.job = job;
    find("places").append(row);
  }
  row.querySelector("ul").append(...places.sort((one, other) => one.start_s - other.start_s).map((it) => hit(it, words)));
}

function hit(place, words) {
  const marked = place.parts.map((part, index) => (index % 2 ? make("mark", {}, part) : part));
  return make("li", {}, make("a", { href: `jobs/${place.job}/player#t=${place.start_s}&q=${encodeURIComponent(words)}` },
    make("time", {}, hms(place.start_s)),
    make("span", {}, place.speaker ? make("b", {}, `${place.speaker}: `) : "", ...marked)));
}

find("query").addEventListener("input", () => { clearTimeout(pause); pause = setTimeout(() => search(0), 200); });
find("search").addEventListener("submit", (event) => { event.preventDefault(); search(0); });
find("more-places").addEventListener("click", () => search(shown));
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea, dialog")) return;
  event.preventDefault();
  find("query").focus();
});
