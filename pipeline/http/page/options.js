// The options of a job: their fields, and what is filled in as the API takes it.

import { find } from "./element.js";

export const newOptions = () => find("option-fields").content.firstElementChild.cloneNode(true);

export function values(fields) {
  const given = Object.fromEntries([...fields.querySelectorAll("[name]")].map((it) => [it.name, it.value.trim()]));
  const options = {};
  for (const name of ["language", "speakers", "translate_to"]) if (given[name]) options[name] = given[name];
  for (const [name, usual] of [["task", "transcribe"], ["second_opinion", "doubtful"]]) {
    if (given[name] !== usual) options[name] = given[name];
  }
  const terms = given.vocabulary.split(",").map((it) => it.trim()).filter(Boolean);
  if (terms.length) options.vocabulary = terms;
  if (given.question) options.questions = [given.question];
  return { to: given.to, options };
}

export function fill(fields, options) {
  const field = (name) => fields.querySelector(`[name="${name}"]`);
  field("to").value = options.legs.length === 2 ? "hybrid" : options.legs[0] === "whisper" ? "transcribe" : "analyze";
  field("language").value = options.language || "";
  field("vocabulary").value = options.vocabulary.join(", ");
  field("question").value = options.questions[0] || "";
  field("speakers").value = { true: "on", false: "off", null: "" }[options.speakers] ?? options.speakers;
  field("task").value = options.task;
  field("translate_to").value = options.translate_to || "";
  field("second_opinion").value = options.second_opinion;
}
