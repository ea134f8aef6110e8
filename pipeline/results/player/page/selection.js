// Selected words become a quote with speaker and time; any moment becomes a link.
const Selection = (() => {
  const bar = find("pick");
  let picked = null;

  function read() {
    const selection = document.getSelection();
    const range = selection.rangeCount && !selection.isCollapsed ? selection.getRangeAt(0) : null;
    picked = null;
    if (range && find("transcript").contains(range.commonAncestorContainer)) {
      const first = Words.from(range.startContainer);
      let last = Words.from(range.endContainer);
      const edge = Words.all[last];
      if (!edge || (range.endOffset === 0 || !edge.contains(range.endContainer))) last -= 1;
      if (first <= last) picked = [first, last];
    }
    bar.hidden = !picked;
    emit("picked", picked);
  }

  function link(seconds) { return `${location.href.split("#")[0]}#t=${Number(seconds.toFixed(1))}`; }
  function speakerOf(word) { return word.closest(".turn")?.querySelector("h3 .name")?.textContent || ""; }

  function quote() {
    if (!picked) return say("Select some words first.");
    const [first, last] = picked, start = Words.starts[first];
    const source = [speakerOf(Words.all[first]), document.body.dataset.show, document.title, clockTime(start)];
    const text = `“${Words.between(first, last)}”\n— ${source.filter(Boolean).join(", ")}`;
    return copy(location.protocol === "file:" ? text : `${text}\n${link(start)}`, "Quote copied");
  }
  function share() {
    const start = picked ? Words.starts[picked[0]] : Clock.now();
    return copy(link(start), `Link to ${clockTime(start)} copied`);
  }

  document.addEventListener("selectionchange", wait(read, 150));
  bar.addEventListener("pointerdown", (event) => event.preventDefault());
  find("quote").addEventListener("click", quote);
  find("share").addEventListener("click", share);
  find("link").addEventListener("click", () => { const start = Clock.now(); copy(link(start), `Link to ${clockTime(start)} copied`); });
  return { quote, share, get picked() { return picked; } };
})();
