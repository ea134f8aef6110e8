// Changes as they happen. A burst is told as a number, and then the list is loaded once.

import { ask } from "./api.js";
import { changed, loadJobs } from "./jobs.js";
import { refreshOverview } from "./overview.js";

const AT_MOST = 60;
let events = null;
let reload = null;
let check = null;

export function stopListening() {
  if (events) events.close();
  events = null;
  clearTimeout(check);
}

export function listen(onLost, onKey) {
  stopListening();
  let wasOpen = false;
  events = new EventSource(`events?at_most=${AT_MOST}`);
  events.addEventListener("open", () => {
    if (wasOpen) soon();
    wasOpen = true;
    document.body.dataset.live = "yes";
  });
  events.addEventListener("error", () => {
    delete document.body.dataset.live;
    clearTimeout(check);
    check = setTimeout(() => verify(onLost, onKey), 1500);
  });
  for (const name of ["progress", "transcribed", "completed"]) {
    events.addEventListener(name, (event) => {
      changed(JSON.parse(event.data));
      if (name !== "progress") refreshOverview();
    });
  }
  events.addEventListener("more", soon);
}

// A stream that broke says nothing of why.
async function verify(onLost, onKey) {
  if (document.body.dataset.live) return;
  try {
    await ask("jobs?limit=1");
    if (events?.readyState === EventSource.CLOSED) listen(onLost, onKey);
  } catch (error) {
    (error.status === 401 ? onKey : onLost)();
  }
}

function soon() {
  clearTimeout(reload);
  reload = setTimeout(() => { loadJobs(); refreshOverview(); }, 1000);
}
