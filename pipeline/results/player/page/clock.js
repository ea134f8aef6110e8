// Where the audio is. Without its length an element that has not loaded yet forgets where it was sent.
const Clock = (() => {
  let wanted = null;
  const length = () => Number(find("line").dataset.length) || audio.duration || 0;
  const now = () => (wanted === null ? audio.currentTime : wanted);

  function seek(seconds) {
    const target = Math.max(0, length() ? Math.min(seconds, length()) : seconds);
    wanted = target;
    if (audio.readyState > 0) { audio.currentTime = target; wanted = null; }
    emit("moved", { isSeek: true });
  }

  function play() { audio.play().catch((error) => { if (error.name === "NotAllowedError") say("Press play to begin."); }); }
  function toggle() { if (audio.paused) play(); else audio.pause(); }
  function playFrom(seconds) { seek(seconds); play(); emit("followed"); }

  function tick() {
    emit("moved", {});
    if (!audio.paused) requestAnimationFrame(tick);
  }
  audio.addEventListener("play", tick);
  for (const event of ["seeked", "timeupdate"]) audio.addEventListener(event, () => emit("moved", {}));
  audio.addEventListener("loadedmetadata", () => {
    find("missing").hidden = true;
    if (wanted !== null) seek(wanted);
    emit("moved", {});
  });

  // The audio is where it was, or is chosen by hand.
  function ask() { find("missing").hidden = false; }
  audio.addEventListener("error", ask);
  if (!audio.getAttribute("src")) { audio.removeAttribute("src"); ask(); }
  else if (audio.error) ask();
  find("file").addEventListener("change", (event) => {
    const file = event.target.files[0];
    if (!file) return;
    wanted = now();
    audio.src = URL.createObjectURL(file);
  });

  return { length, now, seek, play, toggle, playFrom, skip: (seconds) => seek(now() + seconds) };
})();
