// The server at a glance: one line, the pools that need something, and the batches.

import { ask } from "./api.js";
import { find, make } from "./element.js";
import { choose, drawCounts } from "./filters.js";
import { wanted } from "./jobs.js";
import { about, day, hours, many } from "./words.js";

const EVERY_MS = 5000;
let timer = null, isAsking = false;

export function watchOverview() {
  clearInterval(timer);
  timer = setInterval(() => { if (!document.hidden) refreshOverview(); }, EVERY_MS);
  refreshOverview();
}

export async function refreshOverview() {
  if (isAsking || find("inside").hidden) return;
  isAsking = true;
  try {
    draw(await ask("overview"));
  } catch (error) {
    console.debug(error.message);  // the stream of events says so where the server is away
  } finally {
    isAsking = false;
  }
}

function draw(found) {
  const open = found.groups.open || 0;
  const waits = Math.max(0, open - found.at_work);
  document.title = open ? `(${found.at_work} working, ${waits} waiting) Duet` : "Duet";
  const figures = [`Today: ${many(found.today, "episode")}, ${hours(found.today_s)} of audio`];
  figures.push(open ? `${found.at_work} at work, ${waits} waiting (${hours(found.queue_s)})` : "nothing waits");
  if (open && found.queue_done_in_s) figures.push(`done in ${about(found.queue_done_in_s)}`);
  figures.push(health(found.pools));
  if (find("figures").textContent !== figures.join(" · ")) find("figures").textContent = figures.join(" · ");
  drawPools(found.pools.filter((it) => it.mend));
  drawBatches(found.batches);
  drawCounts(found);
}

function health(pools) {
  const ready = pools.filter((it) => it.status === "ready").length;
  const loading = pools.filter((it) => it.status === "loading").map((it) => it.pool);
  return loading.length ? `${loading.join(" and ")} loads its model` : `${ready} of ${pools.length} pools ready`;
}

const named = (pool) => (pool === "cpu" ? "CPU" : pool[0].toUpperCase() + pool.slice(1));

function drawPools(pools) {
  const key = JSON.stringify(pools);
  if (find("pools").dataset.key === key) return;
  find("pools").dataset.key = key;
  find("pools").replaceChildren(...pools.map((it) =>
    make("details", { class: it.status === "off" ? "" : "warn" }, make("summary", {}, `${named(it.pool)}: ${it.status}`), make("p", {}, it.mend))));
}

function drawBatches(batches) {
  find("batches").hidden = batches.length === 0;
  const key = JSON.stringify([batches, wanted.batch]);
  if (find("batches").dataset.key === key) return;
  find("batches").dataset.key = key;
  find("batches").querySelector("ul").replaceChildren(...batches.map(batchRow));
  const chosen = batches.find((it) => it.id === wanted.batch);
  const all = make("button", { type: "button", onclick: () => choose({ batch: "" }) }, "Show all episodes");
  find("batch").hidden = !wanted.batch;
  find("batch").replaceChildren(`Batch ${chosen ? `“${chosen.name}”` : wanted.batch} `, all);
}

function batchRow(batch) {
  const { open = 0, done = 0, attention = 0, cancelled = 0 } = batch.groups;
  const total = open + done + attention + cancelled;
  const parts = [`${done + attention} of ${total} done`, attention ? `${attention} need attention` : "", day(batch.created_at)];
  const bar = open ? make("progress", { max: Math.max(1, total), value: total - open, "aria-label": `Progress of ${batch.name}` }) : "";
  const made = make("button", { type: "button", "aria-pressed": String(wanted.batch === batch.id) },
    make("strong", {}, batch.name), make("small", {}, parts.filter(Boolean).join(" · ")));
  made.addEventListener("click", () => choose({ batch: wanted.batch === batch.id ? "" : batch.id }));
  return make("li", {}, made, bar);
}
