// The word that is being said is marked, and the text follows it until one scrolls.
const Follow = (() => {
  let current = -1, isFollowing = true, hasBegun = false, moves = 0;
  const still = matchMedia("(prefers-reduced-motion: reduce)");

  // What is in a hidden turn is not shown, but the next turn that is.
  function shown(it) {
    let turn = it.closest(".turn");
    if (!turn || !turn.hidden) return it;
    while (turn && turn.hidden) turn = turn.nextElementSibling;
    return turn && turn.firstElementChild;
  }

  function show(it) {
    const target = it && shown(it);
    if (!target || !target.getClientRects().length) return;
    const top = find("bar").getBoundingClientRect().bottom, bottom = find("dock").getBoundingClientRect().top;
    const box = target.getBoundingClientRect();
    if (box.top > top + 16 && box.bottom < bottom - 48) return;
    const by = box.top - top - (bottom - top) / 4;
    const isFar = Math.abs(by) > innerHeight * 1.5 || still.matches;
    scrollBy({ top: by, behavior: isFar ? "instant" : "smooth" });
    // Paragraphs that were never laid out have a guessed height, so a long way is corrected.
    const own = ++moves;
    if (isFar) requestAnimationFrame(() => own === moves && scrollBy({ top: target.getBoundingClientRect().top - top - (bottom - top) / 4, behavior: "instant" }));
  }

  function mark(event) {
    hasBegun ||= !audio.paused || Clock.now() > 0;
    const index = hasBegun ? Words.at(Clock.now()) : -1;
    if (index === current) return;
    const words = Words.all;
    words[current]?.classList.remove("now");
    words[index]?.classList.add("now");
    current = index;
    if (isFollowing && (!audio.paused || event?.detail.isSeek)) show(words[index]);
  }

  function set(follows) {
    isFollowing = follows;
    find("return").hidden = follows || !hasBegun;
    if (follows) show(Words.all[current]);
  }
  const leave = () => { moves += 1; if (isFollowing && hasBegun && find("transcript").getClientRects().length) set(false); };

  addEventListener("wheel", (event) => { if (!event.target.closest("aside, dialog, #dock")) leave(); }, { passive: true });
  addEventListener("touchmove", (event) => { if (!event.target.closest("aside, dialog, #dock")) leave(); }, { passive: true });
  addEventListener("mousedown", (event) => { if (event.target === document.documentElement) leave(); });
  addEventListener("keydown", (event) => {
    if (["PageUp", "PageDown", "Home", "End"].includes(event.key) && !event.target.closest("input, textarea, aside, [role=slider]")) leave();
  });
  find("return").addEventListener("click", () => { emit("tab", "transcript"); set(true); });
  document.addEventListener("moved", mark);
  document.addEventListener("followed", () => set(true));
  document.addEventListener("rebuilt", () => { current = -1; mark(); });
  let width = 0;
  new ResizeObserver(([it]) => {
    if (width && Math.abs(it.contentRect.width - width) > 1 && isFollowing) show(Words.all[current]);
    width = it.contentRect.width;
  }).observe(find("transcript"));

  return { show, set, leave, get current() { return current; } };
})();
