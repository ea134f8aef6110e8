// The list of episodes: the server filters and pages it, and only what is shown is in the page.

import { ask } from "./api.js";
import { drawAbout, drawCard, newCard } from "./card.js";
import { announce, find, make } from "./element.js";
import { many } from "./words.js";

const PAGE = 50;
const MOST = 200;  // of one request
const REFRESH_MS = 10_000;
export const wanted = { state: "", show: "", text: "", batch: "" };

const shown = new Map();  // by id: the job as the server tells it, and its card
const abouts = new Map();
let count = 0, turn = 0, news = new Set(), frame = null;
const waiting = new Map();  // changes that are drawn with the next frame

const isFiltered = () => Object.values(wanted).some(Boolean);
export const isOpen = (job) => ["submitted", "running", "transcribed"].includes(job.state);

function query(offset, limit) {
  const parts = Object.entries(wanted).filter(([, value]) => value);
  return `jobs?${new URLSearchParams([...parts, ["offset", offset], ["limit", limit]])}`;
}

export async function loadJobs(length = shown.size) {
  const own = ++turn;
  const limit = Math.min(MOST, Math.max(PAGE, length));
  const page = await ask(query(0, limit));
  if (own !== turn) return;  // another filter by now
  const older = [...shown.keys()].slice(page.jobs.length >= limit ? limit : Infinity);
  const kept = new Set([...page.jobs.map((job) => job.id), ...older]);
  for (const [id, { card }] of shown) if (!kept.has(id)) { card.remove(); shown.delete(id); }
  news.clear();
  page.jobs.forEach(put);
  page.jobs.forEach((job, index) => {
    const { card } = shown.get(job.id);
    if (find("jobs").children[index] !== card) find("jobs").insertBefore(card, find("jobs").children[index] || null);
  });
  finish(page.count);
}

async function loadOlder() {
  const last = shown.size;
  const own = turn;
  const page = await ask(query(last, PAGE));
  if (own !== turn) return;
  page.jobs.forEach((job) => { if (!shown.has(job.id)) { put(job); find("jobs").append(shown.get(job.id).card); } });
  finish(page.count);
  announce(`${shown.size} of ${count} episodes shown`);
}

export function leaveJobs() {
  shown.clear();
  find("jobs").replaceChildren();
  find("places").replaceChildren();
}

function put(job) {
  const known = shown.get(job.id);
  const card = known?.card || newCard(job);
  if (!known || (isOpen(known.job) && !isOpen(job))) look(card);
  shown.set(job.id, { job, card });
  drawCard(card, job);
  if (abouts.has(version(job))) drawAbout(card, abouts.get(version(job)));
}

// A job told of by the stream or by an answer; the two overtake each other.
export function changed(job) {
  const known = waiting.get(job.id) || shown.get(job.id)?.job;
  if (known && isOutdated(job, known)) return;
  waiting.set(job.id, job);
  frame ||= requestAnimationFrame(drawChanges);
}

function drawChanges() {
  frame = null;
  for (const job of waiting.values()) {
    const known = shown.get(job.id);
    if (known) {
      job.place ||= isOpen(job) && job.status === "waiting" ? known.job.place : null;
      put(job);
    } else if (!isFiltered() && belongs(job)) {
      insert(job);
      count += 1;
      if (shown.size > MOST) dropLast();
    } else if (isFiltered() && job.state === "submitted") news.add(job.id);
  }
  waiting.clear();
  finish(count);
}

const RANKS = { submitted: 0, running: 1, transcribed: 2 };
const rank = (job) => RANKS[job.state] ?? 3;
const isOutdated = (job, known) =>
  job.submitted_at < known.submitted_at || (job.submitted_at === known.submitted_at && rank(job) < rank(known));

// Whether a new job is on this page; one that is older than all on it may be on a later one.
const belongs = (job) => shown.size >= count || [...shown.values()].some((it) => it.job.submitted_at < job.submitted_at);

function insert(job) {
  const next = [...find("jobs").children].find((it) => shown.get(it.dataset.job).job.submitted_at < job.submitted_at);
  put(job);
  find("jobs").insertBefore(shown.get(job.id).card, next || null);
}

function dropLast() {
  const card = find("jobs").lastElementChild;
  shown.delete(card.dataset.job);
  card.remove();
}

export function forget(id) {
  shown.get(id)?.card.remove();
  shown.delete(id);
  finish(Math.max(0, count - 1));
}

function finish(total) {
  count = Math.max(total, shown.size);
  find("more").hidden = shown.size >= count;
  find("more").textContent = `Show older episodes (${(count - shown.size).toLocaleString()} more)`;
  find("none").hidden = shown.size > 0;
  if (shown.size === 0) find("none").replaceChildren(...(isFiltered() ? nothingFound() : firstSteps()));
  find("news").hidden = news.size === 0;
  find("news").firstElementChild.textContent = `${many(news.size, "new episode")}: show all`;
}

const nothingFound = () => [make("p", {}, "No episode fits this filter.")];
const firstSteps = () => [
  make("p", {}, make("strong", {}, "No episodes yet.")),
  make("p", {}, "Drop an audio file anywhere on this page, or try it from a terminal:"),
  make("pre", {}, make("code", {}, `curl -F file=@episode.mp3 ${location.origin}${location.pathname}hybrid`)),
];

// Summaries, for the cards that come into view.

const version = (job) => `${job.id} ${job.ended_at}`;
let due = new Set(), dueSoon = null;
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const job = shown.get(entry.target.dataset.job)?.job;
    if (!entry.isIntersecting || !job || isOpen(job)) continue;
    seen.unobserve(entry.target);
    if (job.links.player && !abouts.has(version(job))) due.add(job.id);
  }
  if (due.size) dueSoon ||= setTimeout(loadAbouts, 50);
}, { rootMargin: "600px" });

function look(card) {
  seen.unobserve(card);  // what is observed already is not told of again
  seen.observe(card);
}

async function loadAbouts() {
  const ids = [...due].slice(0, 60);
  ids.forEach((id) => due.delete(id));
  const found = await ask(`abouts?${new URLSearchParams(ids.map((id) => ["job", id]))}`).catch(() => null);
  dueSoon = null;
  for (const [id, about] of Object.entries(found?.abouts || {})) {
    if (!shown.has(id)) continue;
    abouts.set(version(shown.get(id).job), about);
    drawAbout(shown.get(id).card, about);
  }
  found?.unread.forEach((id) => due.add(id));
  if (due.size) dueSoon = setTimeout(loadAbouts, 50);
}

find("more").addEventListener("click", () => loadOlder().catch((error) => announce(error.message)));
find("news").addEventListener("click", () => document.dispatchEvent(new Event("show-all")));
setInterval(() => {  // places in the queue change with the work on others
  const waits = [...shown.values()].some((it) => it.job.place);
  if (waits && !document.hidden && !document.querySelector("#jobs details[open]")) loadJobs().catch(() => {});
}, REFRESH_MS);
