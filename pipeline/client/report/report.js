"use strict";
{
  const table = document.querySelector("table");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const rest = JSON.parse(document.getElementById("rest").textContent);
  const heads = [...table.tHead.rows[0].cells];
  const [find, status, sort, count] = ["find", "status", "sort", "count"].map((id) => document.getElementById(id));
  const PIECE = 200;
  let column = -1, ascending = true, pass = 0;

  const inPieces = async (items, work, isCurrent = () => true) => {
    for (let at = 0; at < items.length && isCurrent(); at += PIECE) {
      work(items.slice(at, at + PIECE), at);
      await new Promise((done) => setTimeout(done));  // lets the page answer between two pieces
    }
  };
  const texts = new Map();
  const textOf = (row) => {
    if (!texts.has(row)) texts.set(row, row.cells[0].textContent.toLowerCase());
    return texts.get(row);
  };
  const fits = (row) => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    return (!status.value || row.dataset.s === status.value) && words.every((it) => textOf(row).includes(it));
  };
  const number = new Intl.NumberFormat("en");
  const keyOf = (row, at) => {
    const cell = row.cells[at];
    if ("v" in cell.dataset) return Number(cell.dataset.v);
    return at === 0 ? cell.firstChild.textContent.toLowerCase() : cell.textContent;
  };
  const compare = (a, b) => {
    // Cells without a value come last in either direction.
    if (a === "" || b === "") return (a === "") - (b === "");
    const order = typeof a === "string" || typeof b === "string" ? String(a).localeCompare(String(b)) : a - b;
    return ascending ? order : -order;
  };
  const sortBy = (at, up) => {
    column = at;
    ascending = up;
    const order = rows.map((row, place) => [at < 0 ? "" : keyOf(row, at), place]);
    order.sort((a, b) => compare(a[0], b[0]) || a[1] - b[1]);
    const own = ++pass;
    inPieces(order, (piece) => body.append(...piece.map(([, place]) => rows[place])), () => own === pass);
    heads.forEach((head, place) => {
      if (place === at) head.setAttribute("aria-sort", up ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
    sort.value = String(at);
  };
  let filtering = 0;
  const filter = async () => {
    const own = ++filtering;
    let shown = 0;
    const show = (piece) => {
      for (const row of piece) {
        const isFit = fits(row);
        if (row.hidden === isFit) row.hidden = !isFit;
        shown += isFit;
      }
    };
    await inPieces(rows, show, () => own === filtering);
    if (own !== filtering) return;
    count.textContent = shown === rows.length ? "" : `${number.format(shown)} of ${number.format(rows.length)} shown`;
  };
  const load = (piece) => {
    const before = body.rows.length;
    body.insertAdjacentHTML("beforeend", piece.join(""));
    rows.push(...[...body.rows].slice(before));
  };
  const start = async () => {
    await inPieces(rest, load);
    document.getElementById("tools").hidden = rows.length < 2;
  };

  sort.append(new Option("failures first", "-1"));
  heads.forEach((head, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => document.getElementById("tools").hidden || sortBy(at, column === at ? !ascending : true));
    head.replaceChildren(button);
    sort.append(new Option(button.textContent.toLowerCase(), String(at)));
  });
  sort.addEventListener("change", () => sortBy(Number(sort.value), true));
  let soon = 0;
  find.addEventListener("input", () => {
    clearTimeout(soon);
    soon = setTimeout(filter, 120);
  });
  status.addEventListener("change", filter);
  document.getElementById("tools").addEventListener("submit", (event) => event.preventDefault());
  start();
}
