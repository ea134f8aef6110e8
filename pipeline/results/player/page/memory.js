// The place of each episode and the speed are kept in this browser, where it lets a page keep anything.
const Memory = (() => {
  const PLACE = `duet.place.${document.body.dataset.key}`, SPEED = "duet.speed", LETTERS = "duet.letters";
  const END_S = 15;
  function get(name) { try { return localStorage.getItem(name); } catch { return null; } }
  function set(name, value) {
    try { if (value === null) localStorage.removeItem(name); else localStorage.setItem(name, value); } catch { forbidden = true; }
  }
  let forbidden = false, kept = 0;

  function keep() {
    const now = Clock.now(), isAtAnEnd = now < 5 || (Clock.length() && now > Clock.length() - END_S);
    set(PLACE, isAtAnEnd ? null : now.toFixed(1));
    kept = now;
  }
  audio.addEventListener("pause", keep);
  audio.addEventListener("timeupdate", () => { if (!forbidden && !audio.paused && Math.abs(audio.currentTime - kept) > 5) keep(); });
  addEventListener("pagehide", () => { if (Clock.now() > 0) keep(); });
  document.addEventListener("speed", () => set(SPEED, String(Transport.speed)));

  function restore() {
    const place = Number(get(PLACE));
    if (!(place > 0)) return;
    Clock.seek(place);
    say(`You were at ${clockTime(place)}.`, { name: "Start over", run: () => { Clock.seek(0); Follow.set(true); } });
  }
  Transport.setSpeed(Number(get(SPEED)) || 1);
  find("letters").checked = get(LETTERS) !== "off";
  find("letters").addEventListener("change", (event) => set(LETTERS, event.target.checked ? null : "off"));
  return { restore };
})();
