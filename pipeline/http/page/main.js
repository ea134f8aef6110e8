// The page: its key, its connection, and the parts that live on it.

import { ask, send } from "./api.js";
import "./drop.js";
import { find } from "./element.js";
import { startFilters } from "./filters.js";
import { leaveJobs, loadJobs } from "./jobs.js";
import { listen, stopListening } from "./live.js";
import { watchOverview } from "./overview.js";
import { startSearch } from "./search.js";
import { startSending } from "./sending.js";

const AGAIN_S = 5;
let countdown = null;

async function enter() {
  clearInterval(countdown);
  try {
    const session = await ask("session");
    show("inside");
    find("leave").hidden = !session.needs_key;
    await loadJobs();
    watchOverview();
    listen(enter, enter);
    startSearch();
  } catch (error) {
    if (error.status === 401) askForKey();
    else trouble(error);
  }
}

function show(part) {
  for (const id of ["trouble", "key", "inside"]) find(id).hidden = id !== part;
  find("search").hidden = part !== "inside";
}

function askForKey() {
  show("key");
  find("leave").hidden = true;
  find("secret").focus();
}

function trouble(error) {
  stopListening();
  show("trouble");
  const noBroker = error.status === 503;
  find("trouble-title").textContent = noBroker ? "The queues cannot be reached" : "No connection to the server";
  find("trouble-text").textContent = noBroker
    ? "The server is up, but its broker does not answer. On the server, run: duet up, and after it duet serve again"
    : `${error.message} On the server, run: duet serve`;
  let left = AGAIN_S;
  const tell = () => { find("trouble-again").textContent = `Trying again in ${left} s. Nothing is lost meanwhile.`; };
  tell();
  clearInterval(countdown);
  countdown = setInterval(() => { left -= 1; if (left > 0) tell(); else enter(); }, 1000);
}

find("key").addEventListener("submit", async (event) => {
  event.preventDefault();
  find("refused").textContent = "";
  try {
    await send("session", { key: find("secret").value });
    find("secret").value = "";
    enter();
  } catch (error) {
    find("refused").textContent = error.message;
    find("secret").select();
  }
});

find("leave").addEventListener("click", async () => {
  await ask("session", { method: "DELETE" });
  stopListening();
  leaveJobs();
  enter();
});

startFilters();
startSending();
enter();
