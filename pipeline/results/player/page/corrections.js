// The changes of a served page: sent to the server, which keeps and undoes them; the page then shows its answer.
const Corrections = (() => {
  const api = document.body.dataset.api, history = find("history");
  let changes = [];

  async function ask(method, path, body) {
    const options = { method, cache: "no-store", credentials: "same-origin" };
    if (body) Object.assign(options, { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
    let answer;
    try { answer = await fetch(api + path, options); } catch { throw new Error("The server does not answer; nothing was changed."); }
    if (answer.ok) return answer.json();
    const problem = await answer.json().catch(() => ({}));
    throw new Error(problem.detail || `The server refused (${answer.status}).`);
  }

  // All but the audio and its bar is taken from the page as the server now writes it.
  async function refresh() {
    const answer = await fetch(location.pathname + location.search, { cache: "no-store", credentials: "same-origin" });
    if (!answer.ok) throw new Error("The change is saved; reload the page to see it.");
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const top = scrollY;
    const away = [...document.querySelectorAll(".away")].map((it) => it.id);
    for (const own of [...document.querySelectorAll("aside > .panel:not(#found)")]) {
      const other = fresh.getElementById(own.id);
      if (other) own.replaceChildren(...other.childNodes); else own.replaceChildren();
    }
    const text = find("transcript"), only = find("only");
    text.replaceChildren(...fresh.getElementById("transcript").childNodes);
    find("only").replaceWith(only);
    for (const id of away) find(id)?.classList.add("away");
    scrollTo({ top, behavior: "instant" });
    emit("rebuilt");
  }

  function show(answer) {
    changes = answer.corrections.filter((it) => !it.undone);
    find("changes").hidden = !changes.length;
    find("changes").textContent = `Changes (${changes.length})`;
    history.querySelector("ol").replaceChildren(...[...changes].reverse().map(row));
  }
  function row(it) {
    const becomes = it.becomes ? element("ins", it.becomes) : "(removed)";
    const button = element("button", "Undo", { type: "button", "aria-label": `Undo: ${it.becomes || "removed"} for ${it.was}` });
    button.addEventListener("click", () => undo(it));
    const who = [clockTime(it.start_s), it.kind === "chapter" ? "chapter" : "", it.rule ? `rule “${it.rule}”` : it.by, new Date(it.at).toLocaleString(), it.applied ? "" : "no longer fits the text"];
    return element("li", [element("span", [element("del", it.was), " → ", becomes]), button, element("small", who.filter(Boolean).join(" · "))]);
  }

  async function change(one) {
    show(await ask("PATCH", "/corrections", { changes: [one] }));
    await refresh();
    const made = changes.findLast((it) => it.kind === one.kind && it.becomes === one.becomes);
    say("Corrected.", made && { name: "Undo", run: () => undo(made) });
  }
  async function undo(it) {
    try {
      show(await ask("DELETE", `/corrections/${encodeURIComponent(it.id)}`));
      await refresh();
      if (!changes.length) history.close();
      say("Undone.");
    } catch (error) { say(error.message); }
  }
  async function rename(speaker, name) {
    await ask("PATCH", "/speakers", { [speaker]: name || null });
    await refresh();
  }

  find("changes").addEventListener("click", () => history.showModal());
  history.addEventListener("click", (event) => { if (event.target === history) history.close(); });
  ask("GET", "/corrections").then(show, (error) => console.debug(error.message));
  function undoLast() {
    const made = changes.filter((it) => !it.rule);  // what a rule changed is undone from the list alone
    const last = made.reduce((one, other) => (!one || other.at >= one.at ? other : one), null);
    return last ? undo(last) : say("There is nothing to undo.");
  }
  return { change, rename, undoLast };
})();
