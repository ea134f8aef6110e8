// One upload by the tus protocol (https://tus.io): it goes on where it stopped, after a lost connection or a reload.

const VERSION = { "Tus-Resumable": "1.0.0" };
const PIECE = 16 * 2 ** 20;
const FIRST_WAIT_MS = 500, LONGEST_WAIT_MS = 15_000;
const KEY = "duet-upload ";

const keyOf = (file) => `${KEY}${file.name} ${file.size} ${file.lastModified}`;
const base64 = (text) => btoa(String.fromCodePoint(...new TextEncoder().encode(text)));
const wait = (ms, signal) => new Promise((resolve) => {
  const timer = setTimeout(done, ms);
  function done() { clearTimeout(timer); removeEventListener("online", done); signal.removeEventListener("abort", done); resolve(); }
  addEventListener("online", done);
  signal.addEventListener("abort", done);
});

export class UploadError extends Error {
  constructor(status, detail) { super(detail); this.status = status; }
}

// Returns the id of the complete upload. `onBytes` is told the bytes that the server has, `onLost` of a broken connection.
export async function upload(file, { signal, onBytes, onLost }) {
  let pause = FIRST_WAIT_MS;
  while (!signal.aborted) {
    try {
      const id = localStorage.getItem(keyOf(file)) || await create(file, signal);
      let offset = await offsetOf(id, signal);
      while (offset < file.size) {
        onBytes(offset);
        await patch(id, offset, file.slice(offset, offset + PIECE), signal, (sent) => { onBytes(offset + sent); pause = FIRST_WAIT_MS; });
        offset += Math.min(PIECE, file.size - offset);
      }
      onBytes(file.size);
      return id;
    } catch (error) {
      if (signal.aborted) break;
      if (error.status === 404) localStorage.removeItem(keyOf(file));  // expired: from the start
      else if (error.status >= 400 && ![409, 423, 429, 500, 502, 503, 504].includes(error.status)) { forget(file); throw error; }
      onLost(error.status ? error.message : "");
      await wait(pause, signal);
      pause = Math.min(LONGEST_WAIT_MS, pause * 2);
    }
  }
  throw new UploadError(0, "cancelled");
}

export const forget = (file) => localStorage.removeItem(keyOf(file));

export function terminate(file) {
  const id = localStorage.getItem(keyOf(file));
  forget(file);
  if (id) fetch(`uploads/${id}`, { method: "DELETE", headers: VERSION }).catch(() => {});  // else it expires
}

// The names of uploads that a reload has interrupted.
export function interrupted() {
  const keys = Array.from({ length: localStorage.length }, (_, index) => localStorage.key(index));
  return keys.filter((key) => key.startsWith(KEY)).map((key) => key.slice(KEY.length).replace(/ \d+ \d+$/, ""));
}

async function create(file, signal) {
  const headers = { ...VERSION, "Upload-Length": file.size, "Upload-Metadata": `filename ${base64(file.name)}` };
  const response = await fetch("uploads", { method: "POST", headers, signal });
  if (!response.ok) throw await failure(response);
  const id = response.headers.get("Location").split("/").pop();
  localStorage.setItem(keyOf(file), id);
  return id;
}

async function offsetOf(id, signal) {
  const response = await fetch(`uploads/${id}`, { method: "HEAD", headers: VERSION, signal });
  if (!response.ok) throw new UploadError(response.status, `The server answers ${response.status}.`);
  return Number(response.headers.get("Upload-Offset"));
}

async function failure(response) {
  const told = await response.json().catch(() => ({}));
  return new UploadError(response.status, told.detail || `The server answers ${response.status}.`);
}

function patch(id, offset, piece, signal, onSent) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();  // fetch does not tell how much it has sent
    request.open("PATCH", `uploads/${id}`);
    const headers = { ...VERSION, "Upload-Offset": offset, "Content-Type": "application/offset+octet-stream" };
    Object.entries(headers).forEach(([name, value]) => request.setRequestHeader(name, value));
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => onSent(event.loaded));
    const detail = () => request.response?.detail || `The server answers ${request.status}.`;
    request.addEventListener("load", () => (request.status < 300 ? resolve() : reject(new UploadError(request.status, detail()))));
    request.addEventListener("error", () => reject(new UploadError(0, "")));
    request.addEventListener("abort", () => reject(new UploadError(0, "cancelled")));
    signal.addEventListener("abort", () => request.abort());
    request.send(piece);
  });
}
