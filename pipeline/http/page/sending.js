// What is being sent: a few files at a time, each with its row.

import { send as post } from "./api.js";
import { button, find, make } from "./element.js";
import { changed } from "./jobs.js";
import { newOptions, values } from "./options.js";
import { forget, interrupted, terminate, upload } from "./tus.js";
import { about, bytes } from "./words.js";

const FILES_AT_ONCE = 3;
const SPEED_OVER_MS = 5000;
const queue = [];
let underWay = 0, fields = null;

export function startSending() {
  fields = newOptions();
  find("options").append(fields);
  find("files").addEventListener("change", (event) => { send([...event.target.files]); event.target.value = ""; });
  find("address").addEventListener("submit", (event) => { event.preventDefault(); fetchAddress(); });
  interrupted().forEach(interruptedRow);
}

export function send(files) {
  for (const file of files) {
    document.querySelectorAll("#sending li.interrupted").forEach((it) => { if (it.dataset.name === file.name) it.remove(); });
    enqueue({ file, ...values(fields), row: newRow(file.name), stop: new AbortController() });
  }
}

function enqueue(task) {
  task.stop = new AbortController();
  tell(task.row, `${bytes(task.file.size)}, waiting`, 0, button("Cancel", `Cancel ${task.file.name}`, () => cancel(task)));
  queue.push(task);
  next();
}

function next() {
  while (underWay < FILES_AT_ONCE && queue.length) {
    underWay += 1;
    transfer(queue.shift()).finally(() => { underWay -= 1; next(); });
  }
}

function cancel(task) {
  if (queue.includes(task)) queue.splice(queue.indexOf(task), 1);
  task.stop.abort();
  terminate(task.file);
  task.row.remove();
}

async function transfer(task) {
  const { file, row, stop } = task;
  const times = [];  // of the last seconds, with the bytes then
  const onBytes = (count) => {
    times.push([performance.now(), count]);
    while (times.length > 2 && times[0][0] < performance.now() - SPEED_OVER_MS) times.shift();
    tell(row, progress(file, count, times), count / file.size);
  };
  const onLost = (detail) => { times.length = 0; tell(row, `${detail || "Connection lost."} Going on as soon as possible.`); };
  try {
    const id = await upload(file, { signal: stop.signal, onBytes, onLost });
    tell(row, "sent, being checked", 1);
    changed(await post(`${task.to}?wait=0`, { upload: id, ...task.options }));
    forget(file);
    row.remove();
  } catch (error) {
    if (!stop.signal.aborted) refuse(row, error, () => enqueue(task));
  }
}

function progress(file, count, times) {
  const [[began, first], [now, last]] = [times[0], times.at(-1)];
  const speed = now - began > 500 ? (1000 * (last - first)) / (now - began) : 0;
  const parts = [`${bytes(count)} of ${bytes(file.size)}`, `${Math.floor((100 * count) / file.size)} %`];
  if (speed) parts.push(`${bytes(speed)}/s`, `${about((file.size - count) / speed)} left`);
  return parts.join(", ");
}

function newRow(name) {
  const row = make("li", {}, make("span", { class: "name" }, name),
    make("progress", { max: 1, value: 0, "aria-label": `Sending ${name}` }), make("span", { class: "said" }), make("span", { class: "does" }));
  row.dataset.name = name;
  find("sending").append(row);
  return row;
}

function tell(row, text, share, ...does) {
  row.classList.remove("refused");
  row.querySelector(".said").textContent = text;
  row.querySelector(".said").removeAttribute("role");
  if (share !== undefined) row.querySelector("progress").value = share;
  if (does.length) row.querySelector(".does").replaceChildren(...does);
}

function refuse(row, error, again) {
  const name = row.dataset.name;
  tell(row, error.message, 0, button("Try again", `Try again: ${name}`, again), button("Dismiss", `Dismiss ${name}`, () => row.remove()));
  row.classList.add("refused");
  row.querySelector(".said").setAttribute("role", "alert");
}

function interruptedRow(name) {
  const row = newRow(name);
  row.classList.add("interrupted");
  row.querySelector("progress").hidden = true;
  const open = button("Choose it again", `Choose ${name} again`, () => find("files").click());
  tell(row, "Was interrupted. Choose the same file again, and it goes on where it stopped.", 0, open, button("Dismiss", `Dismiss ${name}`, () => {
    for (const key of Object.keys(localStorage)) if (key.startsWith(`duet-upload ${name} `)) localStorage.removeItem(key);
    row.remove();
  }));
}

async function fetchAddress() {
  const url = find("url").value.trim();
  if (!url) return;
  find("url").value = "";
  const { to, options } = values(fields);
  const row = newRow(url);
  const begin = async () => {
    tell(row, "the server fetches it", 0, "");
    row.querySelector("progress").removeAttribute("value");
    try {
      changed(await post(`${to}?wait=0`, { url, ...options }));
      row.remove();
    } catch (error) {
      refuse(row, error, begin);
    }
  };
  await begin();
}
