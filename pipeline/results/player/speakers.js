
"use strict";
// The speakers: buttons that show only some speakers' turns, and the lane of all turns.
(() => {
  const lane = document.getElementById("lane");
  if (!lane) return;
  const audio = document.getElementById("audio");
  const [all, ...buttons] = document.querySelectorAll("#voices button");
  const turns = [...document.querySelectorAll("#transcript .turn")];
  const rows = [...lane.querySelectorAll("path")];
  const chosen = new Set();

  function filter() {
    const isChosen = (element) => !chosen.size || chosen.has(element.dataset.speaker);
    const top = document.querySelector("header").offsetHeight;
    const read = turns.find((turn) => !turn.hidden && turn.getBoundingClientRect().bottom > top + 20);
    for (const turn of turns) turn.hidden = !isChosen(turn);
    for (const row of rows) row.classList.toggle("other", !isChosen(row));
    for (const button of buttons) button.setAttribute("aria-pressed", String(chosen.has(button.dataset.speaker)));
    all.setAttribute("aria-pressed", String(!chosen.size));
    document.dispatchEvent(new CustomEvent("filter", { detail: read && read.firstElementChild }));
  }
  for (const button of buttons) {
    const { speaker } = button.dataset;
    button.addEventListener("click", () => {
      if (!chosen.delete(speaker)) chosen.add(speaker);
      filter();
    });
  }
  all.addEventListener("click", () => { chosen.clear(); filter(); });

  // A click on the lane gives it the time there, to which player.js then moves the audio.
  const length = Number(lane.dataset.length);
  lane.addEventListener("click", (event) => {
    const box = lane.getBoundingClientRect();
    lane.dataset.at = String((length * (event.clientX - box.left)) / box.width);
  });
  function place() {
    const share = length ? Math.min(1, audio.currentTime / length) : 0;
    document.getElementById("playhead").style.transform = `translateX(${100 * share}%)`;
  }
  for (const event of ["timeupdate", "seeking"]) audio.addEventListener(event, place);
})();
