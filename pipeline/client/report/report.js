"use strict";
{
  const table = document.querySelector("table");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const [find, status, sort, count] = ["find", "status", "sort", "count"].map((id) => document.getElementById(id));
  let texts = null;
  let column = -1, ascending = true;

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
    const sorted = document.createDocumentFragment();
    for (const [, place] of order) sorted.append(rows[place]);
    body.append(sorted);
    heads.forEach((head, place) => {
      if (place === at) head.setAttribute("aria-sort", up ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
    sort.value = String(at);
  };
  const filter = () => {
    texts ??= rows.map((row) => row.cells[0].textContent.toLowerCase());
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, place) => {
      const fits = (!status.value || row.dataset.s === status.value) && words.every((it) => texts[place].includes(it));
      if (row.hidden === fits) row.hidden = !fits;
      shown += fits;
    });
    count.textContent = shown === rows.length ? "" : `${number.format(shown)} of ${number.format(rows.length)} shown`;
  };

  sort.append(new Option("failures first", "-1"));
  heads.forEach((head, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => sortBy(at, column === at ? !ascending : true));
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
  document.getElementById("tools").hidden = rows.length < 2;
}
