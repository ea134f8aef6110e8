// The card of one episode.

import { actions } from "./actions.js";
import { make } from "./element.js";
import { drawLegs } from "./legs.js";
import { about, bytes, day, hms } from "./words.js";
import { relative } from "./api.js";

const LEGS = { whisper: "transcript", voxtral: "analysis", speakers: "speakers" };

export function newCard(job) {
  const card = make("li", {},
    make("div", { class: "head" }, make("a", { class: "name" }), make("span", { class: "status" })),
    make("p", { class: "meta" }), make("p", { class: "about" }), make("div", { class: "legs" }),
    make("p", { class: "now" }), make("div", { class: "why" }), make("div", { class: "actions" }));
  card.dataset.job = job.id;
  return card;
}

export function drawCard(card, job) {
  card.className = `${job.state} ${job.tone}`;
  card.dataset.status = job.status;
  const name = card.querySelector(".name");
  set(name, job.name);
  if (job.links.player) name.href = relative(job.links.player); else name.removeAttribute("href");
  const status = card.querySelector(".status");
  status.className = `status ${job.tone}`;
  set(status, job.status);
  set(card.querySelector(".meta"), meta(job));
  drawLegs(card.querySelector(".legs"), job);
  const isOpen = job.tone === "open";
  set(card.querySelector(".now"), isOpen ? job.legs.whisper.text || job.legs.voxtral.text : "");
  drawReasons(card.querySelector(".why"), job);
  actions(card.querySelector(".actions"), job);
}

export function drawAbout(card, found) {
  const label = found.source === "outline" ? make("span", { class: "label" }, "Outline, quoted") : "";
  const topics = found.topics.map((it) => make("span", { class: "topic" }, it));
  card.querySelector(".about").replaceChildren(...[label, found.text && ` ${found.text} `, ...topics].filter(Boolean));
}

function meta(job) {
  const parts = [job.show, day(job.published_at || job.submitted_at), job.audio_s ? hms(job.audio_s) : bytes(job.size_bytes)];
  if (job.name !== job.file_name) parts.push(job.file_name);
  if (job.place) parts.push(turn(job.place));
  return parts.filter(Boolean).join(" · ");
}

function turn(place) {
  const before = place.position === 1 ? "next in the queue" : `number ${place.position.toLocaleString()} in the queue`;
  return place.starts_in_s === null ? before : `${before}, starts in ${about(place.starts_in_s)}`;
}

// What is missing, each reason once; long words of a short one are behind a click. What this server lacks is told
// with the pools, unless a job fell short for it.
function drawReasons(element, job) {
  const told = ["warning", "bad"].includes(job.tone) ? missing(job) : [];
  if (!told.length && job.tone !== "good" && job.state !== "cancelled" && job.reason) told.push(["", job.reason]);
  const key = JSON.stringify(told);
  if (element.dataset.key === key) return;  // a reason that is open stays open
  element.dataset.key = key;
  element.replaceChildren(...told.map(([short, long]) => short
    ? make("details", {}, make("summary", {}, short), make("p", {}, long))
    : make("p", {}, long)));
}

function missing(job) {
  const hasFailed = Object.values(job.legs).some((it) => it.status === "failed");
  const told = new Map();
  for (const [leg, what] of Object.entries(LEGS)) {
    const it = job.legs[leg];
    const isMissing = it.status === "failed" || (it.status === "skipped" && job.options.legs.includes(leg) && !(hasFailed && it.unavailable));
    if (it.reason && isMissing) told.set(it.reason, it.short ? `No ${what}: ${it.short}` : "");
  }
  return [...told].map(([long, short]) => [short, long]);
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
