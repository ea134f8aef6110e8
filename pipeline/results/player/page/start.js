// A link leads to a moment and may carry words of a search: #t=62.5&q=blue light
(() => {
  function seconds(text) {
    if (!/^\d+(:\d\d){0,2}(\.\d+)?$/.test(text || "")) return null;
    return text.split(":").reduce((sum, part) => 60 * sum + Number(part), 0);
  }
  function honour() {
    const asked = new URLSearchParams(location.hash.slice(1));
    const at = seconds(asked.get("t")), words = asked.get("q");
    if (at !== null) {
      Clock.seek(at);
      Follow.set(true);
      emit("tab", "transcript");
      Follow.show(Words.all[Words.at(at)]);
    }
    if (words) { emit("searching"); Search.ask(words); }
    return at !== null;
  }
  addEventListener("hashchange", honour);
  if (!honour()) Memory.restore();
  emit("moved", {});
})();
})();
