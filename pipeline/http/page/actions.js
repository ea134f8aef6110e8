// What can be done with an episode: the usual at hand, the rest in a menu that is made when it is opened.

import { ask, relative, send } from "./api.js";
import { askAgain, confirmed } from "./dialogs.js";
import { announce, button, make } from "./element.js";
import { changed, forget, loadJobs } from "./jobs.js";

const DOWNLOADS = {
  txt: "Text", srt: "Captions (SRT)", vtt: "Captions (WebVTT)", notes: "Notes (Markdown)", chapters: "Chapters (JSON)",
  json: "Transcript (JSON)", result: "Everything (JSON)",
};

export function actions(element, job) {
  const isOpen = job.tone === "open";
  const key = `${job.state} ${job.status} ${Object.keys(job.links)} ${job.can_retry} ${Boolean(job.place)}`;
  if (element.dataset.key === key) return;  // a button that has the focus keeps it
  element.dataset.key = key;
  const path = relative(job.links.self);
  const made = [];
  if (job.links.player) made.push(make("a", { class: "button main", href: relative(job.links.player), "aria-label": `Listen: ${job.name}` }, "Listen"));
  if (job.can_retry && job.tone !== "good") made.push(act("Retry", job, () => send(`${path}/retry`, {})));
  if (isOpen) made.push(act("Cancel", job, () => ask(path, { method: "DELETE" })));
  made.push(menu(job, path, isOpen));
  element.replaceChildren(...made);
}

function act(text, job, does) {
  return button(text, `${text}: ${job.name}`, async () => {
    try {
      changed(await does());
      announce(`${text}: ${job.name}`);
    } catch (error) {
      tell(job, error);
    }
  });
}

function tell(job, error) {
  const card = document.querySelector(`[data-job="${job.id}"] .why`);
  card.dataset.key = "";
  card.replaceChildren(make("p", { class: "bad", role: "alert" }, error.message));
}

function menu(job, path, isOpen) {
  const made = make("details", { class: "menu" }, make("summary", { "aria-label": `More: ${job.name}` }, "…"));
  made.addEventListener("toggle", () => {
    made.querySelector("ul")?.remove();
    if (!made.open) return;
    document.querySelectorAll("details.menu[open]").forEach((it) => { if (it !== made) it.open = false; });
    const list = make("ul", {}, ...entries(job, path, isOpen).map((it) => make("li", {}, it)));
    made.append(list);
    list.scrollIntoView({ block: "nearest" });
  });
  return made;
}

function entries(job, path, isOpen) {
  const has = (form) => job.links[form] || (job.links.player && ["notes", "chapters"].includes(form));
  const made = Object.keys(DOWNLOADS).filter(has).map((form) =>
    make("a", { href: `${path}/download/${form}`, download: "" }, DOWNLOADS[form]));
  if (isOpen && job.place) {
    made.push(act("Process next", job, () => moved(job, path, "next")), act("Process later", job, () => moved(job, path, "later")));
  }
  if (isOpen) return made;
  if (job.can_retry && job.tone === "good") made.push(act("Try the analysis again", job, () => send(`${path}/retry`, {})));
  made.push(button("Process again with options…", `Process again with options: ${job.name}`, () => askAgain(job, path).then((it) => it && changed(it)).catch((error) => tell(job, error))));
  const remove = button("Delete…", `Delete: ${job.name}`, () => erase(job, path));
  remove.classList.add("danger");
  return [...made, remove];
}

async function moved(job, path, place) {
  const found = await send(`${path}/place`, { place }, "PUT");
  await loadJobs();
  return found;
}

async function erase(job, path) {
  if (!await confirmed(`Delete “${job.name}”?`, "Its transcript, analysis and uploaded audio are removed for good.")) return;
  try {
    await ask(`${path}?results=true`, { method: "DELETE" });
    forget(job.id);
    announce(`${job.name} is deleted`);
  } catch (error) {
    tell(job, error);
  }
}

// A menu closes as menus do.
document.addEventListener("click", (event) => {
  for (const it of document.querySelectorAll("details.menu[open]")) {
    if (!it.contains(event.target) || event.target.closest("details.menu ul a, details.menu ul button")) it.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  const open = event.key === "Escape" && document.querySelector("details.menu[open]");
  if (open) { open.open = false; open.querySelector("summary").focus(); }
});
