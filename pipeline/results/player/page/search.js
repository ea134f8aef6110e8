// Search over words, without case and accents, also across them; several words that nobody said in a row, each alone.
const Search = (() => {
  const query = find("query");
  let hits = [], here = -1, asked = "", marked = [];

  function placesOf(phrase) {
    const { written, ends } = Words.text, found = [];
    for (let from = written.indexOf(phrase); from >= 0; from = written.indexOf(phrase, from + phrase.length)) {
      const first = lastBefore(ends, from) + 1, last = lastBefore(ends, from + phrase.length - 1) + 1;
      if (Words.isShown(Words.all[first])) found.push([first, last]);
    }
    return found;
  }
  function places(phrase) {
    const found = placesOf(phrase), words = phrase.split(" ");
    if (found.length || words.length < 2) return found;
    return words.filter((it) => it.length > 2).flatMap((it) => placesOf(` ${it}`)).sort((one, other) => one[0] - other[0]);
  }

  function paint(name, index, isOn) {
    const [first, last] = hits[index] || [0, -1];
    for (const word of Words.all.slice(first, last + 1)) word.classList.toggle(name, isOn);
  }
  function clear() {
    for (const word of marked) word.classList.remove("hit", "here");
    marked = []; hits = []; here = -1;
  }
  function run() {
    clear();
    asked = plain(query.value.trim().replace(/\s+/g, " "));
    if (asked.length > 1) hits = places(asked);
    for (const [first, last] of hits) for (let it = first; it <= last; it += 1) marked.push(Words.all[it]);
    for (const word of marked) word.classList.add("hit");
    Timeline.mark(hits.map(([first]) => Words.starts[first]));
    const next = hits.findIndex(([, last]) => Words.starts[last] >= Clock.now() - 0.02);
    emit("found");
    if (hits.length) select(Math.max(0, next), false); else tell();
  }
  function tell() {
    const number = hits.length.toLocaleString("en");
    const none = asked.length === 1 ? "type two letters" : asked ? "nothing found" : "";
    find("count").textContent = hits.length ? `${(here + 1).toLocaleString("en")} of ${number}` : none;
    find("next").disabled = find("previous").disabled = !hits.length;
  }
  function select(index, isAsked = true) {
    paint("here", here, false);
    here = (index + hits.length) % hits.length;
    paint("here", here, true);
    tell();
    emit("selected", here);
    if (isAsked || !NARROW.matches) {
      if (!audio.paused) Follow.set(false);
      emit("tab", "transcript");
    }
    Follow.show(Words.all[hits[here][0]]);
  }
  function go(step) {
    settle();
    if (hits.length) select(here + step);
  }
  function play() {
    settle();
    if (hits[here]) Clock.playFrom(Words.starts[hits[here][0]]);
  }
  function settle() { if (plain(query.value.trim().replace(/\s+/g, " ")) !== asked) run(); }
  function end() { query.value = ""; run(); query.blur(); emit("searched"); }
  function ask(words) { query.value = words; run(); }

  query.addEventListener("input", wait(run, 120));
  query.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { event.preventDefault(); end(); }
    if (event.key !== "Enter") return;
    event.preventDefault();
    if (event.ctrlKey || event.metaKey) play(); else go(event.shiftKey ? -1 : 1);
  });
  find("search").addEventListener("submit", (event) => event.preventDefault());
  find("next").addEventListener("click", () => go(1));
  find("previous").addEventListener("click", () => go(-1));
  for (const event of ["filtered", "rebuilt"]) document.addEventListener(event, () => { if (query.value.trim()) run(); });

  return { go, ask, select, end, get hits() { return hits; }, get here() { return here; } };
})();
