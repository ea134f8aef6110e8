// One list of keys makes both the sheet and what they do.
const Keys = (() => {
  const sheet = find("keys");
  function paragraph(step) {
    const { paragraphs } = Words;
    let place = Words.paragraphAt(Clock.now()) + step;
    while (paragraphs[place] && !Words.isShown(paragraphs[place])) place += step;
    if (!paragraphs[place]) return;
    Clock.seek(Words.paragraphStart(place));
    Follow.set(true);
  }
  function look() { emit("searching"); find("query").focus(); find("query").select(); }

  const keys = [
    [["Space", "k"], "play or pause", () => Clock.toggle()],
    [["←"], "back 5 seconds", () => Clock.skip(-5)],
    [["→"], "forward 5 seconds", () => Clock.skip(5)],
    [["j"], "back 15 seconds", () => Clock.skip(-15)],
    [["l"], "forward 30 seconds", () => Clock.skip(30)],
    [["↑"], "previous paragraph", () => paragraph(-1)],
    [["↓"], "next paragraph", () => paragraph(1)],
    [["C"], "previous chapter", () => Chapters.go(-1)],
    [["c"], "next chapter", () => Chapters.go(1)],
    [["["], "slower", () => Transport.faster(-1)],
    [["]"], "faster", () => Transport.faster(1)],
    [["m"], "sound off or on", () => Transport.mute()],
    [["f"], "back to the current place", () => { emit("tab", "transcript"); Follow.set(true); }],
    [["/"], "search", look],
    [["n"], "next match", () => Search.go(1)],
    [["N"], "previous match", () => Search.go(-1)],
    [["d"], "next uncertain word", () => Readings.go(1)],
    [["D"], "previous uncertain word", () => Readings.go(-1)],
    [["q"], "copy the selected words as a quote", () => Selection.quote()],
    [["s"], "copy a link to this moment, or to the selected words", () => Selection.share()],
    [["?"], "this sheet", () => sheet.showModal()],
  ];
  const inSearch = [[["Enter"], "in the search: next match"], [["Shift", "Enter"], "in the search: previous match"],
    [["Ctrl", "Enter"], "in the search: play from the match"], [["Esc"], "end the search; close what is open"]];
  const names = { " ": "Space", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓" };
  const actions = new Map();

  function add(rows) {
    const list = sheet.querySelector("dl");
    for (const [spelled, what, action] of rows) {
      if (action) for (const key of spelled) actions.set(key, action);
      const glue = action ? " or " : " + ";
      const marks = spelled.flatMap((key, place) => (place ? [glue, element("kbd", key)] : [element("kbd", key)]));
      list.append(element("div", [element("dt", marks), element("dd", what)]));
    }
  }
  add(keys);
  add(inSearch);

  const types = (it) => it.closest("input:not([type=range], [type=checkbox]), textarea, select");
  function isTaken(event) {
    const { target, key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]") || types(target)) return true;
    if (key === " ") return Boolean(target.closest("button, a, summary, [type=checkbox]"));
    return key.startsWith("Arrow") && Boolean(target.closest("[type=range]"));
  }
  document.addEventListener("keydown", (event) => {
    if (isTaken(event)) return;
    if (event.key === "Escape") { Readings.tell(null); return; }
    const action = actions.get(names[event.key] || event.key);
    if (!action || (event.key.length === 1 && event.key !== " " && !find("letters").checked && event.key !== "?")) return;
    event.preventDefault();
    action();
  });
  find("help").addEventListener("click", () => sheet.showModal());
  sheet.addEventListener("click", (event) => { if (event.target === sheet) sheet.close(); });
  return { add };
})();
