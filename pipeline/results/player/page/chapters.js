// The list of chapters marks the current one; places in any list are played from.
const Chapters = (() => {
  let rows = [], starts = [], current = -1;

  function read() {
    rows = [...document.querySelectorAll("#chapters li")];
    starts = rows.map((row) => Number(row.querySelector("[data-at]").dataset.at));
    current = -1;
  }
  const titleOf = (row) => (row ? row.querySelector("b").textContent : "");

  function mark() {
    const index = lastBefore(starts, Clock.now() + 0.02);
    if (index === current) return;
    for (const [place, isNow] of [[current, false], [index, true]]) {
      if (!rows[place]) continue;
      rows[place].classList.toggle("now", isNow);
      if (isNow) rows[place].querySelector("button").setAttribute("aria-current", "true");
      else rows[place].querySelector("button").removeAttribute("aria-current");
    }
    current = index;
    find("chapter").textContent = titleOf(rows[index]);
    const aside = document.querySelector("aside");
    if (!NARROW.matches && rows[index] && !audio.paused && !aside.matches(":hover, :focus-within")) reveal(aside, rows[index]);
  }
  function reveal(aside, row) {
    const box = row.getBoundingClientRect(), around = aside.getBoundingClientRect();
    if (box.top < around.top || box.bottom > around.bottom) aside.scrollTop += box.top - around.top - around.height / 3;
  }

  // Back goes to the start of this chapter first, as on any player.
  function go(step) {
    if (!starts.length) return say("This episode has no chapters.");
    const now = Clock.now(), index = lastBefore(starts, now + 0.02);
    const place = step < 0 && index >= 0 && now - starts[index] > 3 ? index : index + step;
    if (starts[place] === undefined) return undefined;
    Clock.seek(starts[place]);
    Follow.set(true);
    return say(titleOf(rows[place]));
  }

  document.addEventListener("click", (event) => {
    const at = event.target.closest("[data-at]");
    if (at && !document.body.classList.contains("editing")) Clock.playFrom(Number(at.dataset.at));
    else if (at && !at.closest("#chapters")) Clock.seek(Number(at.dataset.at));
  });
  read();
  document.addEventListener("rebuilt", () => { read(); mark(); });
  document.addEventListener("moved", mark);
  return { go, titleAt: (seconds) => titleOf(rows[lastBefore(starts, seconds)]) };
})();
