// Files dropped anywhere on the page.

import { find } from "./element.js";
import { send } from "./sending.js";

let depth = 0;
const hasFiles = (event) => !find("inside").hidden && [...event.dataTransfer.types].includes("Files");
const show = (isOver) => { find("over").hidden = !isOver; };

addEventListener("dragenter", (event) => { if (hasFiles(event)) { depth += 1; show(true); } });
addEventListener("dragleave", (event) => { if (hasFiles(event) && --depth <= 0) { depth = 0; show(false); } });
addEventListener("dragover", (event) => { if (hasFiles(event)) event.preventDefault(); });
addEventListener("drop", (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  depth = 0;
  show(false);
  send([...event.dataTransfer.files]);
});
