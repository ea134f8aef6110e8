// Talking to the server.

export class Refused extends Error {
  constructor(status, detail) { super(detail); this.status = status; }
}

export async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Refused(0, "The server does not answer.");
  }
  if (!response.ok) {
    const told = await response.json().catch(() => ({}));
    throw new Refused(response.status, told.detail || `The server answers ${response.status}.`);
  }
  return response.status === 204 ? null : response.json();
}

export function send(path, value, method = "POST") {
  return ask(path, { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) });
}

// Links of the API begin at its root; the page may be below one of a proxy's.
export const relative = (path) => path.slice(path.lastIndexOf("/jobs/") + 1);
