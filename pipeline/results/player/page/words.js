// The words of the transcript and their times; the text for the search is made when it is first needed.
const Words = (() => {
  let all = [], starts = new Float64Array(0), paragraphs = [], paragraphStarts = [], text = null;

  function read() {
    all = [...document.querySelectorAll("#transcript span[data-t]")];
    starts = Float64Array.from(all, (word) => Number(word.dataset.t));
    paragraphs = [...document.querySelectorAll("#transcript p[style]")];
    paragraphStarts = paragraphs.map((it) => Number(it.firstElementChild.dataset.at));
    text = null;
  }

  function spelled() {
    let written = "";
    const ends = new Uint32Array(all.length);
    all.forEach((word, index) => {
      const before = word.previousSibling;
      const isFirst = !word.previousElementSibling || word.previousElementSibling.matches("button");
      written += (isFirst || before.nodeType === Node.TEXT_NODE ? " " : "") + plain(word.textContent);
      ends[index] = written.length;
    });
    return { written, ends };
  }

  // The words of the whole segment that a word is in; the first one is marked.
  function segment(index) {
    let first = index, last = index;
    while (first > 0 && !("s" in all[first].dataset)) first -= 1;
    while (last + 1 < all.length && !("s" in all[last + 1].dataset)) last += 1;
    return [first, last];
  }

  // The first word at or after a node, in the order of the page.
  function from(node) {
    const own = (node.nodeType === Node.TEXT_NODE ? node.parentElement : node).closest("span[data-t]");
    if (own) return indexOf(own);
    let low = 0, high = all.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const follows = node.compareDocumentPosition(all[middle]) & Node.DOCUMENT_POSITION_FOLLOWING;
      if (follows) high = middle; else low = middle + 1;
    }
    return low;
  }

  function indexOf(word) {
    let index = lastBefore(starts, Number(word.dataset.t));
    while (index >= 0 && all[index] !== word) index -= 1;
    return index >= 0 ? index : all.indexOf(word);
  }

  read();
  document.addEventListener("rebuilt", read);
  return {
    get all() { return all; },
    get starts() { return starts; },
    get paragraphs() { return paragraphs; },
    get text() { return (text ||= spelled()); },
    at: (seconds) => lastBefore(starts, seconds + 0.02),
    paragraphAt: (seconds) => lastBefore(paragraphStarts, seconds + 0.02),
    paragraphStart: (index) => paragraphStarts[index],
    between: (first, last) => all.slice(first, last + 1).map((word) => word.textContent).join(" "),
    isShown: (it) => !it.closest(".turn[hidden]"),
    segment, from, indexOf,
  };
})();
