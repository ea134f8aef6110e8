"use strict";
(() => {
  const find = (id) => document.getElementById(id);
  const audio = find("audio");
  const words = [...document.querySelectorAll("#transcript span[data-t]")];
  const starts = words.map((word) => Number(word.dataset.t));
  const paragraphs = [...document.querySelectorAll("#transcript p")];
  const chapters = [...document.querySelectorAll("#chapters li")];
  const chapterStarts = chapters.map((chapter) => Number(chapter.querySelector("[data-at]").dataset.at));

  // The last place whose time has come; -1 before the first.
  function lastBefore(times, now) {
    let low = 0, high = times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (times[middle] <= now) low = middle + 1; else high = middle;
    }
    return low - 1;
  }

  // The turns of some speakers may be hidden (speakers.js); what is in one is not shown, but the next turn that is.
  const isShown = (element) => !element.closest("[hidden]");

  function show(element) {
    let turn = element.closest(".turn");
    while (turn && turn.hidden) turn = turn.nextElementSibling;
    if (!isShown(element)) element = turn && turn.firstElementChild;
    if (!element) return;
    const top = document.querySelector("header").offsetHeight;
    const box = element.getBoundingClientRect();
    if (box.top < top + 20 || box.bottom > window.innerHeight - 60) {
      window.scrollTo({ top: window.scrollY + box.top - top - window.innerHeight / 4 });
    }
  }

  // The word that is being said, and its chapter.
  let current = null, chapter = null;
  function mark() {
    const now = audio.currentTime + 0.02;
    const word = words[lastBefore(starts, now)] || null;
    if (word !== current) {
      if (current) current.classList.remove("now");
      if (word) word.classList.add("now");
      current = word;
      if (word && find("follow").checked && !audio.paused) show(word);
    }
    const part = chapters[lastBefore(chapterStarts, now)] || null;
    if (part !== chapter) {
      if (chapter) chapter.classList.remove("now");
      if (part) part.classList.add("now");
      chapter = part;
    }
  }
  function tick() {
    mark();
    if (!audio.paused) requestAnimationFrame(tick);
  }
  audio.addEventListener("play", tick);
  for (const event of ["seeking", "seeked", "timeupdate"]) audio.addEventListener(event, mark);

  // Without its length an element that has not loaded yet forgets where it was sent.
  let wanted = null;
  function seek(seconds) {
    wanted = seconds;
    if (audio.readyState > 0) { audio.currentTime = seconds; wanted = null; }
    mark();
  }
  audio.addEventListener("loadedmetadata", () => { find("missing").hidden = true; if (wanted !== null) seek(wanted); });

  function play() { audio.play().catch(() => {}); }

  document.addEventListener("click", (event) => {
    const word = event.target.closest("#transcript span[data-t]");
    const at = event.target.closest("[data-at]");
    if (word) { seek(Number(word.dataset.t)); tell(word); }
    else if (at) { seek(Number(at.dataset.at)); play(); show(words[lastBefore(starts, Number(at.dataset.at) + 0.02)] || at); }
    else tell(null);
  });

  // Both readings of a doubtful word, for fingers and keys; a mouse has the title.
  function tell(word) {
    const readings = find("readings");
    readings.hidden = !(word && word.title);
    readings.textContent = word ? word.title : "";
  }

  // The audio is where it was, or is chosen by hand.
  function ask() { find("missing").hidden = false; }
  audio.addEventListener("error", ask);
  if (!audio.getAttribute("src")) { audio.removeAttribute("src"); ask(); }
  else if (audio.error) ask();
  find("file").addEventListener("change", (event) => {
    const file = event.target.files[0];
    if (file) audio.src = URL.createObjectURL(file);
  });

  // Search: over words, without case and accents, also across them.
  const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  const places = [];
  let text = "";
  words.forEach((word, index) => {
    const spelled = plain(word.textContent);
    const blank = word.previousSibling && word.previousSibling.textContent.endsWith(" ") ? " " : "";
    const begins = word.previousElementSibling === null || word.previousElementSibling.matches("button") ? " " : blank;
    text += begins + spelled;
    places.push({ end: text.length, index });
  });
  let hits = [], here = -1;
  function clear() {
    for (const word of document.querySelectorAll(".hit, .here")) word.classList.remove("hit", "here");
  }
  function search() {
    clear();
    hits = []; here = -1;
    const query = plain(find("query").value.trim().replace(/\s+/g, " "));
    const ends = places.map((place) => place.end);
    for (let from = text.indexOf(query); query && from >= 0; from = text.indexOf(query, from + query.length)) {
      const first = lastBefore(ends, from) + 1, last = lastBefore(ends, from + query.length - 1) + 1;
      const hit = words.slice(first, last + 1);
      if (hit.every(isShown)) hits.push(hit);
    }
    for (const hit of hits) for (const word of hit) word.classList.add("hit");
    if (hits.length) go(1); else tellCount();
  }
  function tellCount() {
    find("count").textContent = find("query").value.trim() ? `${here + 1} of ${hits.length}` : "";
  }
  function go(step) {
    if (!hits.length) return tellCount();
    for (const word of document.querySelectorAll(".here")) word.classList.remove("here");
    here = (here + step + hits.length) % hits.length;
    for (const word of hits[here]) word.classList.add("here");
    show(hits[here][0]);
    tellCount();
  }
  find("query").addEventListener("input", search);
  document.addEventListener("filter", (event) => {
    if (find("query").value.trim()) search(); else if (event.detail) show(event.detail);
  });
  find("query").addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      if (event.shiftKey) go(-1);
      else if (event.ctrlKey || event.metaKey) { if (hits[here]) { seek(Number(hits[here][0].dataset.t)); play(); } }
      else go(1);
    }
    if (event.key === "Escape") { find("query").value = ""; search(); find("query").blur(); }
  });
  find("next").addEventListener("click", () => go(1));
  find("previous").addEventListener("click", () => go(-1));

  // Speed, help, keys.
  const speed = find("speed");
  speed.addEventListener("change", () => { audio.playbackRate = Number(speed.value); });
  function faster(step) {
    speed.selectedIndex = Math.min(speed.length - 1, Math.max(0, speed.selectedIndex + step));
    audio.playbackRate = Number(speed.value);
  }
  find("help").addEventListener("click", () => {
    find("keys").hidden = !find("keys").hidden;
    find("help").setAttribute("aria-expanded", String(!find("keys").hidden));
  });
  function paragraph(step) {
    const shown = paragraphs.filter(isShown);
    const times = shown.map((it) => Number(it.querySelector("[data-at]").dataset.at));
    const place = lastBefore(times, audio.currentTime + 0.02) + step;
    if (shown[place]) { seek(times[place]); show(shown[place]); }
  }
  function nextDoubt() {
    const doubtful = words.filter((word) => word.classList.contains("doubt") && isShown(word));
    const next = doubtful.find((word) => Number(word.dataset.t) > audio.currentTime + 0.02) || doubtful[0];
    if (next) { seek(Number(next.dataset.t)); show(next); tell(next); }
  }
  const keys = {
    " ": () => (audio.paused ? play() : audio.pause()),
    ArrowLeft: () => seek(Math.max(0, audio.currentTime - 5)),
    ArrowRight: () => seek(audio.currentTime + 5),
    ArrowUp: () => paragraph(-1),
    ArrowDown: () => paragraph(1),
    "/": () => find("query").focus(),
    n: () => go(1),
    N: () => go(-1),
    "[": () => faster(-1),
    "]": () => faster(1),
    d: nextDoubt,
    "?": () => find("help").click(),
    Escape: () => tell(null),
  };
  document.addEventListener("keydown", (event) => {
    if (event.target.closest("input, select, textarea, audio") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("button") && event.key === " ") return;
    const action = keys[event.key];
    if (action) { event.preventDefault(); action(); }
  });
  // A link may lead to a moment: player.html#t=62.5
  const asked = /^#t=(\d+(?:\.\d+)?)$/.exec(location.hash);
  if (asked) {
    seek(Number(asked[1]));
    const word = words[lastBefore(starts, Number(asked[1]) + 0.02)];
    if (word) show(word);
  }
  mark();
})();
