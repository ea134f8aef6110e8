// The timeline is a slider: it is clicked, dragged, and moved by keys.
const Timeline = (() => {
  const slider = find("timeline"), peek = find("peek");
  let isHeld = false, second = -1;

  function tell() {
    const now = Clock.now(), length = Clock.length();
    const share = length ? Math.min(1, now / length) : 0;
    slider.style.setProperty("--place", share.toFixed(5));
    if (Math.floor(now) === second) return;
    second = Math.floor(now);
    find("now").textContent = clockTime(now);
    find("length").textContent = length ? `/ ${clockTime(length)}` : "";
    slider.setAttribute("aria-valuemax", String(Math.round(length)));
    slider.setAttribute("aria-valuenow", String(second));
    slider.setAttribute("aria-valuetext", `${clockTime(now)} of ${clockTime(length)}`);
  }

  function timeAt(event) {
    const box = find("line").getBoundingClientRect();
    return (Clock.length() * Math.min(1, Math.max(0, event.clientX - box.left) / box.width)) || 0;
  }

  function preview(event) {
    const at = timeAt(event);
    const title = Chapters.titleAt(at);
    peek.textContent = title ? `${clockTime(at)} · ${title}` : clockTime(at);
    peek.hidden = false;
    const half = peek.offsetWidth / 2 + 8;
    peek.style.left = `${Math.min(innerWidth - half, Math.max(half, event.clientX))}px`;
  }

  slider.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    isHeld = true;
    slider.setPointerCapture(event.pointerId);
    preview(event);
  });
  slider.addEventListener("pointermove", (event) => {
    preview(event);
    if (isHeld) slider.style.setProperty("--place", (timeAt(event) / (Clock.length() || 1)).toFixed(5));
  });
  slider.addEventListener("pointerup", (event) => {
    if (!isHeld) return;
    isHeld = false;
    Clock.seek(timeAt(event));
    Follow.set(true);
    if (event.pointerType !== "mouse") peek.hidden = true;
  });
  for (const event of ["pointerleave", "pointercancel"]) slider.addEventListener(event, () => { isHeld = false; peek.hidden = true; tell(); });
  slider.addEventListener("keydown", (event) => {
    const to = { Home: 0, End: Clock.length(), PageUp: Clock.now() - 60, PageDown: Clock.now() + 60 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    Clock.seek(to);
    Follow.set(true);
  });
  document.addEventListener("moved", () => { if (!isHeld) tell(); });

  new ResizeObserver(() => document.documentElement.style.setProperty("--dock", `${find("dock").offsetHeight}px`)).observe(find("dock"));
  const box = (it) => `M${it.toFixed(1)} 0h${(Clock.length() / 500).toFixed(1)}v1H${it.toFixed(1)}z`;
  return { mark: (times) => find("places")?.setAttribute("d", times.map(box).join("")) };
})();
