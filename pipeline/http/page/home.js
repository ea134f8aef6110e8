"use strict";
(() => {
  const find = (id) => document.getElementById(id);
  const LIMIT = 50;
  const FILES_AT_ONCE = 3;
  const jobs = new Map();  // by id: the job as the server tells it, and its row
  let shown = 0, total = 0, events = null;

  // Talking to the server.

  class Refused extends Error {
    constructor(status, detail) { super(detail); this.status = status; }
  }

  async function problem(response) {
    const told = await response.json().catch(() => ({}));
    return new Refused(response.status, told.detail || `The server answers ${response.status}.`);
  }

  async function ask(path, options = {}) {
    const response = await fetch(path, options);
    if (!response.ok) throw await problem(response);
    return response.status === 204 ? null : response.json();
  }

  // The key, once for the session.

  async function enter() {
    try {
      const session = await ask("session");
      find("key").hidden = true;
      find("inside").hidden = false;
      find("leave").hidden = !session.needs_key;
      listen();
    } catch (error) {
      if (error.status !== 401) { say(error.message); setTimeout(enter, 5000); return; }
      find("inside").hidden = true;
      find("leave").hidden = true;
      find("key").hidden = false;
      say("");
      find("secret").focus();
    }
  }

  find("key").addEventListener("submit", async (event) => {
    event.preventDefault();
    find("refused").textContent = "";
    const body = JSON.stringify({ key: find("secret").value });
    try {
      await ask("session", { method: "POST", headers: { "Content-Type": "application/json" }, body });
      find("secret").value = "";
      enter();
    } catch (error) {
      find("refused").textContent = error.message;
      find("secret").select();
    }
  });

  find("leave").addEventListener("click", async () => {
    await ask("session", { method: "DELETE" });
    if (events) events.close();
    jobs.clear();
    find("jobs").replaceChildren();
    find("places").replaceChildren();
    enter();
  });

  const say = (text) => { find("live").textContent = text; };

  // Jobs, live.

  function listen() {
    if (events) events.close();
    events = new EventSource("events");
    events.addEventListener("open", () => { say("live"); load(0, Math.max(LIMIT, Math.min(shown, 200))); });
    events.addEventListener("error", () => {
      say("no connection; trying again");
      if (events.readyState === EventSource.CLOSED) setTimeout(enter, 3000);
    });
    for (const name of ["progress", "transcribed", "completed"]) {
      events.addEventListener(name, (event) => put(JSON.parse(event.data)));
    }
  }

  async function load(offset, limit) {
    try {
      const page = await ask(`jobs?offset=${offset}&limit=${limit}`);
      total = page.count;
      page.jobs.forEach((job) => put(job));
      shown = Math.max(shown, offset + page.jobs.length);
    } catch (error) {
      say(error.message);
    }
    find("more").hidden = shown >= total;
    find("none").hidden = jobs.size > 0;
  }
  find("more").addEventListener("click", () => load(shown, LIMIT));

  function put(job) {
    const row = jobs.get(job.id)?.row || find("job").content.firstElementChild.cloneNode(true);
    const isNew = !jobs.has(job.id);
    const submitted = jobs.get(job.id)?.job.submitted_at;
    jobs.set(job.id, { job, row });
    if (isNew || submitted !== job.submitted_at) place(row, job);
    draw(row, job);
    find("none").hidden = true;
  }

  // Newest first.
  function place(row, job) {
    row.dataset.submitted = job.submitted_at;
    const before = [...find("jobs").children].find((it) => it !== row && it.dataset.submitted < job.submitted_at);
    find("jobs").insertBefore(row, before || null);
  }

  const isOpen = (job) => ["submitted", "running", "transcribed"].includes(job.state);

  function draw(row, job) {
    row.className = job.state;
    const name = row.querySelector(".name");
    name.textContent = job.name;
    if (job.links.player) name.href = relative(job.links.player); else name.removeAttribute("href");
    row.querySelector(".state").textContent = job.state;
    row.querySelector(".length").textContent = job.audio_s ? hms(job.audio_s) : "";
    for (const leg of ["whisper", "voxtral", "speakers"]) drawLeg(row.querySelector(`.${leg}`), job.legs[leg], job);
    row.querySelector(".speakers").hidden = job.legs.speakers.status === "skipped";  // as it is wherever they are not wanted
    row.querySelector(".text").textContent = isOpen(job) ? job.legs.whisper.text || job.legs.voxtral.text : "";
    row.querySelector(".reason").textContent = job.reason;
    drawLinks(row.querySelector(".links"), job);
  }

  function drawLeg(element, leg, job) {
    const bar = element.querySelector("progress");
    const isAsked = leg.status !== "skipped";
    element.classList.toggle("skipped", !isAsked);
    const share = leg.status === "ok" ? 1 : leg.total_s ? Math.min(1, leg.done_s / leg.total_s) : 0;
    bar.value = share;
    bar.setAttribute("aria-valuetext", `${leg.status}, ${Math.round(100 * share)} %`);
    const running = leg.total_s && leg.done_s ? `${hms(leg.done_s)} of ${hms(leg.total_s)}` : "at work";
    const said = {
      waiting: isOpen(job) ? "waits" : "",
      running: isOpen(job) ? running : "",
      ok: leg.work_s ? `${leg.work_s.toFixed(1)} s` : "done",
      failed: "failed",
      skipped: "skipped",
    };
    element.querySelector(".said").textContent = said[leg.status];
  }

  function drawLinks(element, job) {
    const names = { player: "Listen", txt: "Text", srt: "SRT", vtt: "WebVTT", json: "JSON", result: "Result" };
    const wanted = Object.keys(names).filter((name) => job.links[name]);
    const key = wanted.join() + isOpen(job);
    if (element.dataset.key === key) return;  // a link that has the focus keeps it
    element.dataset.key = key;
    element.replaceChildren(...wanted.map((name) => link(names[name], job.links[name], job.name)));
    if (isOpen(job)) element.append(cancelButton(job));
  }

  function link(text, path, name) {
    const made = document.createElement("a");
    made.href = relative(path);
    made.textContent = text;
    made.setAttribute("aria-label", `${text}: ${name}`);
    return made;
  }

  function cancelButton(job) {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = "Cancel";
    made.setAttribute("aria-label", `Cancel ${job.name}`);
    made.addEventListener("click", () => {
      made.disabled = true;
      ask(relative(job.links.self), { method: "DELETE" }).then(put).catch((error) => say(error.message));
    });
    return made;
  }

  // Links of the API begin at its root; the page may be below one of a proxy's.
  const relative = (path) => path.slice(path.lastIndexOf("/jobs/") + 1);

  function hms(seconds) {
    const whole = Math.round(seconds);
    const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    const two = (it) => String(it).padStart(2, "0");
    return parts[0] ? `${parts[0]}:${two(parts[1])}:${two(parts[2])}` : `${parts[1]}:${two(parts[2])}`;
  }

  // Sending: a few files at a time, each with its progress.

  const waiting = [];
  let underWay = 0;

  function send(files) {
    for (const file of files) waiting.push({ file, to: find("legs").value, row: sendingRow(file.name) });
    next();
  }

  function next() {
    while (underWay < FILES_AT_ONCE && waiting.length) {
      underWay += 1;
      upload(waiting.shift()).finally(() => { underWay -= 1; next(); });
    }
  }

  function sendingRow(name) {
    const row = document.createElement("li");
    const title = document.createElement("span");
    title.textContent = name;
    const bar = document.createElement("progress");
    bar.max = 1; bar.value = 0;
    bar.setAttribute("aria-label", `Sending ${name}`);
    row.append(title, bar);
    find("sending").append(row);
    return row;
  }

  function upload({ file, to, row }) {
    return new Promise((resolve) => {
      const request = new XMLHttpRequest();
      request.open("POST", `${to}?wait=0`);
      request.responseType = "json";
      request.upload.addEventListener("progress", (event) => {
        if (event.lengthComputable) row.querySelector("progress").value = event.loaded / event.total;
      });
      request.addEventListener("load", () => {
        if (request.status < 300) { row.remove(); put(request.response); }
        else refuse(row, request.response?.detail || `The server answers ${request.status}.`);
        resolve();
      });
      request.addEventListener("error", () => { refuse(row, "The connection broke; send it again."); resolve(); });
      const form = new FormData();
      form.append("file", file, file.name);
      request.send(form);
    });
  }

  function refuse(row, detail) {
    const told = document.createElement("span");
    told.className = "bad";
    told.setAttribute("role", "alert");
    told.textContent = detail;
    row.querySelector("progress").replaceWith(told);
    const close = document.createElement("button");
    close.type = "button";
    close.textContent = "Dismiss";
    close.addEventListener("click", () => row.remove());
    row.append(close);
  }

  find("files").addEventListener("change", (event) => {
    send([...event.target.files]);
    event.target.value = "";
  });

  find("address").addEventListener("submit", async (event) => {
    event.preventDefault();
    const url = find("url").value.trim();
    if (!url) return;
    const row = sendingRow(url);
    row.querySelector("progress").removeAttribute("value");
    find("url").value = "";
    const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ url }) };
    try {
      put(await ask(`${find("legs").value}?wait=0`, options));
      row.remove();
    } catch (error) {
      refuse(row, error.message);
    }
  });

  let depth = 0;
  const hasFiles = (event) => !find("inside").hidden && [...event.dataTransfer.types].includes("Files");
  addEventListener("dragenter", (event) => { if (hasFiles(event)) { depth += 1; document.body.classList.add("over"); } });
  addEventListener("dragleave", (event) => {
    if (hasFiles(event) && --depth <= 0) { depth = 0; document.body.classList.remove("over"); }
  });
  addEventListener("dragover", (event) => { if (hasFiles(event)) event.preventDefault(); });
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth = 0;
    document.body.classList.remove("over");
    send([...event.dataTransfer.files]);
  });

  // Searching what was said.

  let pause = null, asked = 0;
  find("query").addEventListener("input", () => { clearTimeout(pause); pause = setTimeout(search, 200); });

  async function search() {
    const query = find("query").value.trim();
    const turn = ++asked;
    if (!query) { find("places").replaceChildren(); find("count").textContent = ""; return; }
    try {
      const found = await ask(`search?q=${encodeURIComponent(query)}`);
      if (turn !== asked) return;  // something else is looked for by now
      find("places").replaceChildren(...found.places.map(placeRow));
      const count = found.places.length === 1 ? "1 place" : `${found.places.length || "No"} places`;
      find("count").textContent = found.unread ? `${count}; ${found.unread} transcripts are still being read` : count;
      if (found.unread) pause = setTimeout(search, 500);
    } catch (error) {
      find("count").textContent = error.message;
    }
  }

  function placeRow(place) {
    const row = document.createElement("li");
    const to = document.createElement("a");
    to.href = `jobs/${place.job}/player#t=${place.start_s}`;
    const where = document.createElement("small");
    where.textContent = `${place.name}, ${hms(place.start_s)}`;
    const speaker = document.createElement("b");
    speaker.textContent = place.speaker ? `${place.speaker}: ` : "";
    to.append(where, speaker, ...place.parts.map((part, index) => {
      if (index % 2 === 0) return document.createTextNode(part);
      const mark = document.createElement("mark");
      mark.textContent = part;
      return mark;
    }));
    row.append(to);
    return row;
  }

  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select")) return;
    event.preventDefault();
    find("query").focus();
  });

  enter();
})();
