// Buttons of the bar, the speed, and the keys of a headset or a lock screen.
const Transport = (() => {
  const speed = find("speed"), play = find("play"), volume = find("volume");

  function setSpeed(rate) {
    const place = [...speed.options].findIndex((option) => Number(option.value) === rate);
    if (place < 0) return;
    speed.selectedIndex = place;
    audio.defaultPlaybackRate = audio.playbackRate = rate;
    emit("speed");
  }
  function faster(step) {
    const option = speed.options[Math.min(speed.length - 1, Math.max(0, speed.selectedIndex + step))];
    setSpeed(Number(option.value));
    say(`Speed ${option.textContent}`);
  }
  speed.addEventListener("change", () => setSpeed(Number(speed.value)));

  function mute() {
    audio.muted = !audio.muted;
    say(audio.muted ? "Muted" : "Not muted");
  }
  volume.addEventListener("input", () => { audio.volume = Number(volume.value); audio.muted = false; });

  function state() {
    play.classList.toggle("playing", !audio.paused);
    play.setAttribute("aria-label", audio.paused ? "Play" : "Pause");
    if (session) session.playbackState = audio.paused ? "paused" : "playing";
  }
  play.addEventListener("click", () => Clock.toggle());
  find("back").addEventListener("click", () => Clock.skip(-15));
  find("on").addEventListener("click", () => Clock.skip(30));
  for (const event of ["play", "pause", "ended"]) audio.addEventListener(event, state);

  const session = navigator.mediaSession;
  if (session && window.MediaMetadata) {
    session.metadata = new MediaMetadata({ title: document.title, artist: document.body.dataset.show });
    const actions = {
      play: () => Clock.play(), pause: () => audio.pause(),
      seekbackward: (it) => Clock.skip(-(it.seekOffset || 15)), seekforward: (it) => Clock.skip(it.seekOffset || 30),
      seekto: (it) => Clock.seek(it.seekTime), previoustrack: () => Chapters.go(-1), nexttrack: () => Chapters.go(1),
    };
    for (const [name, action] of Object.entries(actions)) {
      try { session.setActionHandler(name, action); } catch (error) { console.debug(name, error); }
    }
    const place = () => {
      if (Number.isFinite(audio.duration)) session.setPositionState({ duration: audio.duration, playbackRate: audio.playbackRate, position: Math.min(audio.currentTime, audio.duration) });
    };
    for (const event of ["loadedmetadata", "seeked", "ratechange", "play"]) audio.addEventListener(event, place);
  }
  return { setSpeed, faster, mute, get speed() { return Number(speed.value); } };
})();
