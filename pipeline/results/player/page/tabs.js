// On a narrow screen the panels and the transcript are tabs; on a wide one they stand beside each other.
(() => {
  const list = find("tabs"), tabs = [...list.children];
  const panelOf = (tab) => find(tab.dataset.panel);
  let chosen = tabs[0];

  function choose(tab, hasFocus) {
    if (!tab || tab.hidden) return;
    const isOther = tab !== chosen;
    chosen = tab;
    layOut();
    if (hasFocus) tab.focus();
    if (NARROW.matches && isOther) {
      tab.scrollIntoView({ block: "nearest", inline: "nearest" });
      scrollTo({ top: Math.min(scrollY, find("bar").offsetTop), behavior: "instant" });
      if (tab === tabs[0]) Follow.show(Words.all[Follow.current]);
    }
  }

  function layOut() {
    const isNarrow = NARROW.matches;
    if (isNarrow) list.setAttribute("role", "tablist"); else list.removeAttribute("role");
    list.setAttribute("aria-label", "Parts of the episode");
    if (!isNarrow) list.removeAttribute("aria-label");
    for (const tab of tabs) {
      const panel = panelOf(tab), isChosen = tab === chosen;
      panel.classList.toggle("away", isNarrow && !isChosen);
      const roles = [[tab, { role: "tab", "aria-selected": isChosen, "aria-controls": panel.id, tabindex: isChosen ? 0 : -1 }],
        [panel, { role: "tabpanel", "aria-labelledby": tab.id }]];
      for (const [it, attributes] of roles) for (const [name, value] of Object.entries(attributes)) {
        if (isNarrow) it.setAttribute(name, value); else it.removeAttribute(name);
      }
    }
    find("transcript").setAttribute("tabindex", "-1");
  }

  list.addEventListener("click", (event) => choose(event.target.closest("button")));
  list.addEventListener("keydown", (event) => {
    const shown = tabs.filter((tab) => !tab.hidden), place = shown.indexOf(chosen);
    const to = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: shown.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    choose(shown[(to + shown.length) % shown.length], true);
  });
  document.addEventListener("tab", (event) => choose(tabs.find((it) => it.dataset.panel === event.detail)));
  document.addEventListener("untab", (event) => { if (chosen.dataset.panel === event.detail) choose(tabs[0]); });
  document.addEventListener("rebuilt", layOut);
  NARROW.addEventListener("change", layOut);
  layOut();

  // The search of a narrow screen is unfolded.
  const look = find("look");
  function open(isOpen) {
    document.body.classList.toggle("searching", isOpen);
    look.setAttribute("aria-expanded", String(isOpen));
  }
  look.addEventListener("click", () => {
    open(!document.body.classList.contains("searching"));
    if (document.body.classList.contains("searching")) find("query").focus(); else Search.end();
  });
  document.addEventListener("searching", () => open(true));
  document.addEventListener("searched", () => open(false));
})();
