// The two questions that the page asks.

import { send } from "./api.js";
import { find } from "./element.js";
import { fill, newOptions, values } from "./options.js";

function answer(dialog) {
  return new Promise((resolve) => {
    dialog.returnValue = "no";
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    dialog.showModal();
  });
}

export function confirmed(title, text) {
  find("confirm-title").textContent = title;
  find("confirm-text").textContent = text;
  return answer(find("confirm"));
}

export async function askAgain(job, path) {
  find("again-title").textContent = `Process “${job.name}” again`;
  const fields = newOptions();
  fill(fields, job.options);
  find("again").querySelector(".fields").replaceChildren(fields);
  if (!await answer(find("again"))) return null;
  const { to, options } = values(fields);
  const others = unasked(options, job.options);
  if (job.options.questions.length > 1) options.questions = [...(options.questions || []), ...job.options.questions.slice(1)];
  const legs = { hybrid: ["whisper", "voxtral"], transcribe: ["whisper"], analyze: ["voxtral"] }[to];
  return send(`${path}/rerun`, { ...others, ...options, legs });
}

const HAVE_FIELDS = ["language", "vocabulary", "questions", "speakers", "task", "translate_to", "second_opinion", "legs"];

// The job's options that the dialog has no field for; bounds do not go with a number of speakers.
function unasked(given, options) {
  const dropped = given.speakers && given.speakers !== "on" ? [...HAVE_FIELDS, "min_speakers", "max_speakers"] : HAVE_FIELDS;
  return Object.fromEntries(Object.entries(options).filter(([name]) => !dropped.includes(name)));
}
