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
  const legs = { hybrid: ["whisper", "voxtral"], transcribe: ["whisper"], analyze: ["voxtral"] }[to];
  return send(`${path}/rerun`, { ...options, legs });
}
