// A click on a word plays from it; both readings of an uncertain word are told to fingers and keys, a mouse has the title.
const Readings = (() => {
  function tell(word) {
    const readings = find("readings");
    readings.hidden = !(word && word.title);
    readings.textContent = word ? word.title : "";
  }

  document.addEventListener("click", (event) => {
    const word = event.target.closest("#transcript span[data-t]");
    if (document.body.classList.contains("editing")) return tell(null);
    tell(word);
    if (word && document.getSelection().isCollapsed) Clock.playFrom(Number(word.dataset.t));
    return undefined;
  });

  function go(step) {
    const doubtful = [...document.querySelectorAll("#transcript .doubt")].filter(Words.isShown);
    const times = doubtful.map((word) => Number(word.dataset.t));
    const now = Clock.now();
    const place = step > 0 ? lastBefore(times, now + 0.02) + 1 : lastBefore(times, now - 0.02);
    const word = doubtful[place] || doubtful[step > 0 ? 0 : doubtful.length - 1];
    if (!word) return say("No word is uncertain.");
    emit("tab", "transcript");
    Clock.seek(Number(word.dataset.t));
    Follow.set(true);
    Follow.show(word);
    return tell(word);
  }
  return { tell, go };
})();
