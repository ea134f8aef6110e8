// The progress of the legs of a job that is not done yet.

import { make } from "./element.js";
import { about, hms } from "./words.js";

const NAMES = { whisper: "Whisper", voxtral: "Voxtral", speakers: "Speakers" };

export function drawLegs(element, job) {
  const isOpen = job.tone === "open" && job.status !== "waiting";
  const legs = isOpen ? Object.keys(NAMES).filter((leg) => job.legs[leg].status !== "skipped") : [];
  if (element.dataset.legs !== legs.join()) {
    element.dataset.legs = legs.join();
    element.replaceChildren(...legs.map(newLeg));
  }
  legs.forEach((leg, index) => drawLeg(element.children[index], job.legs[leg]));
}

function newLeg(leg) {
  return make("label", { class: `leg ${leg}` }, make("span", {}, NAMES[leg]),
    make("progress", { max: 1, value: 0 }), make("span", { class: "said" }));
}

function drawLeg(element, leg) {
  const share = leg.status === "ok" ? 1 : leg.total_s ? Math.min(1, leg.done_s / leg.total_s) : 0;
  const bar = element.querySelector("progress");
  bar.value = share;
  bar.setAttribute("aria-valuetext", `${leg.status}, ${Math.round(100 * share)} %`);
  element.classList.toggle("failed", leg.status === "failed");
  element.querySelector(".said").textContent = said(leg);
}

function said(leg) {
  if (leg.status === "ok") return leg.work_s ? `done in ${hms(leg.work_s)}` : "done";
  if (leg.status === "failed") return leg.short || "failed";
  if (leg.status === "waiting") return "waiting";
  if (!leg.total_s || !leg.done_s) return "starting";
  const parts = [`${hms(leg.done_s)} of ${hms(leg.total_s)}`];
  if (leg.speed) parts.push(`${leg.speed < 10 ? leg.speed.toFixed(1) : Math.round(leg.speed)}×`);
  if (leg.left_s) parts.push(`${about(leg.left_s)} left`);
  return parts.join(", ");
}
