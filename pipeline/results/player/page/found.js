// The list of the places found, each with a few words around it.
(() => {
  const MOST = 100, AROUND = 6;
  const panel = find("found"), list = panel.querySelector("ol"), tab = find("tab-found");

  function row([first, last], index) {
    const button = element("button", [
      element("span", clockTime(Words.starts[first]), { class: "time" }),
      ` … ${Words.between(Math.max(0, first - AROUND), first - 1)} `,
      element("mark", Words.between(first, last)),
      ` ${Words.between(last + 1, last + AROUND)} …`,
    ], { type: "button", "data-hit": index });
    return element("li", button);
  }
  function fill() {
    const { hits } = Search;
    panel.hidden = tab.hidden = !hits.length;
    list.replaceChildren(...hits.slice(0, MOST).map(row));
    panel.firstElementChild.textContent = hits.length > MOST ? `Found: the first ${MOST} of ${hits.length.toLocaleString("en")} places` : `Found: ${hits.length} ${hits.length === 1 ? "place" : "places"}`;
    tab.textContent = `Found (${hits.length})`;
    if (!hits.length) emit("untab", "found");
  }
  list.addEventListener("click", (event) => {
    const button = event.target.closest("[data-hit]");
    if (!button) return;
    Search.select(Number(button.dataset.hit));
    Clock.playFrom(Words.starts[Search.hits[Search.here][0]]);
  });
  document.addEventListener("found", fill);
  document.addEventListener("selected", (event) => {
    list.querySelector("[aria-current]")?.removeAttribute("aria-current");
    const button = list.querySelector(`[data-hit="${event.detail}"]`);
    button?.setAttribute("aria-current", "true");
    if (button && !NARROW.matches) list.scrollTop = button.offsetTop - list.offsetTop - 40;
  });
})();
