// Edit mode: a click on a word, a chapter or a name opens it in a dialog.
const Editor = (() => {
  const dialog = find("editor"), field = find("becomes"), whole = find("whole");
  let words = null, save = null;

  const MOST_RULE = 100;

  function open(title, text, saving) {
    find("editor-title").textContent = title;
    field.value = text;
    save = saving;
    whole.hidden = find("always-row").hidden = true;
    find("always").checked = false;
    find("refusal").hidden = true;
    if (!dialog.open) dialog.showModal();
    field.focus();
    field.select();
  }
  function choose([first, last]) {
    words = [first, last];
    const was = Words.between(first, last);
    const start = Number(Words.all[first].dataset.t);
    open(`Correct the text at ${clockTime(start)}`, was, (becomes) => {
      const always = find("always").checked ? { always: true } : {};
      return Corrections.change({ kind: "words", start_s: start, was, becomes, ...always });
    });
    find("always-row").hidden = was.length > MOST_RULE;
    const [from, to] = Words.segment(first);
    whole.hidden = from === first && to <= last;
  }
  function chapter(row) {
    const was = row.querySelector("b").textContent, start = Number(row.querySelector("[data-at]").dataset.at);
    open("Correct the chapter's title", was, (becomes) => Corrections.change({ kind: "chapter", start_s: start, was, becomes }));
  }

  dialog.querySelector("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = field.value.trim().replace(/\s+/g, " ");
    find("save").disabled = true;
    try {
      await save(text);
      dialog.close();
    } catch (error) {
      find("refusal").textContent = error.message;
      find("refusal").hidden = false;
    } finally { find("save").disabled = false; }
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    find("save").click();
  });
  whole.addEventListener("click", () => choose(Words.segment(words[0])));
  find("cancel").addEventListener("click", () => dialog.close());

  function mode(isOn) {
    document.body.classList.toggle("editing", isOn);
    find("edit").setAttribute("aria-pressed", String(isOn));
    find("done").hidden = !isOn;
    if (isOn) say("Choose a word, a speaker's name or a chapter to correct it.");
  }
  find("edit").addEventListener("click", () => mode(!document.body.classList.contains("editing")));
  find("done").addEventListener("click", () => mode(false));
  document.addEventListener("click", (event) => {
    if (!document.body.classList.contains("editing")) return;
    const word = event.target.closest("#transcript span[data-t]"), row = event.target.closest("#chapters li");
    if (word && document.getSelection().isCollapsed) choose([Words.indexOf(word), Words.indexOf(word)]);
    else if (row) chapter(row);
  });

  const correct = element("button", "Correct", { type: "button" });
  find("pick").append(correct);
  function picked() {
    if (Selection.picked) return choose(Selection.picked);
    const now = Math.max(0, Follow.current);
    return Words.all[now] ? choose([now, now]) : undefined;
  }
  correct.addEventListener("click", picked);
  Keys.add([[["e"], "correct the selected words, or the current one", picked], [["u"], "undo the last correction", Corrections.undoLast]]);
  return { open };
})();
