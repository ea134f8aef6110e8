// Buttons that show only some speakers' turns.
const Speakers = (() => {
  const chosen = new Set();

  function filter() {
    const isChosen = (it) => !chosen.size || chosen.has(it.dataset.speaker);
    const turns = [...document.querySelectorAll("#transcript .turn")];
    const top = find("bar").getBoundingClientRect().bottom;
    const read = turns.find((turn) => !turn.hidden && turn.getBoundingClientRect().bottom > top + 20);
    for (const turn of turns) turn.hidden = !isChosen(turn);
    for (const row of document.querySelectorAll("#lane path")) row.classList.toggle("other", !isChosen(row));
    const buttons = [...document.querySelectorAll("#voices [data-speaker]")];
    for (const button of buttons) button.setAttribute("aria-pressed", String(chosen.has(button.dataset.speaker)));
    find("all")?.setAttribute("aria-pressed", String(!chosen.size));
    const names = buttons.filter((it) => chosen.has(it.dataset.speaker)).map((it) => it.querySelector(".name").textContent);
    find("only").hidden = !names.length;
    find("only").firstElementChild.textContent = `Only the turns of ${names.join(", ")}.`;
    emit("filtered");
    if (read) Follow.show(read.firstElementChild);
  }
  function everybody() { chosen.clear(); filter(); }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("#voices button");
    if (!button) return;
    const { speaker } = button.dataset;
    if (!speaker) return everybody();
    if (!chosen.delete(speaker)) chosen.add(speaker);
    filter();
  });
  find("only").lastElementChild.addEventListener("click", everybody);
  document.addEventListener("rebuilt", () => { if (chosen.size) filter(); });
})();
