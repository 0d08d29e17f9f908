/* Tables: a click on a heading sorts, a word above a long table filters its rows. */
(() => {
  "use strict";
  const LONG = 8; // rows

  function valueOf(cell) {
    const text = (cell.dataset.value ?? cell.innerText).trim().replace("−", "-").replace(/^★\s*/, "");
    const number = Number.parseFloat(text.replace(/[, ](?=\d{3})/g, ""));
    return Number.isNaN(number) ? text.toLowerCase() : number;
  }

  function compare(a, b) {
    if (typeof a === typeof b) return typeof a === "number" ? a - b : a.localeCompare(b);
    return typeof a === "number" ? -1 : 1; // what has no number comes last
  }

  function sort(table, place, heading) {
    const body = table.tBodies[0];
    const rising = heading.getAttribute("aria-sort") !== "ascending";
    for (const other of heading.parentElement.children) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", rising ? "ascending" : "descending");
    const rows = [...body.rows].map((row) => [valueOf(row.cells[place]), row]);
    rows.sort((a, b) => {
      const missing = (typeof a[0] === "string") - (typeof b[0] === "string");
      const numbers = typeof a[0] === "number" || typeof b[0] === "number";
      return (numbers && missing) || (rising ? 1 : -1) * compare(a[0], b[0]);
    });
    body.append(...rows.map(([, row]) => row));
  }

  for (const table of document.querySelectorAll("main table")) {
    const body = table.tBodies[0], head = table.tHead;
    const plain = head && body && body.rows.length > 1
      && [...body.rows].every((row) => row.cells.length === head.rows[0].cells.length);
    if (!plain) continue;
    [...head.rows[0].cells].forEach((heading, place) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => sort(table, place, heading));
    });
    if (body.rows.length < LONG) continue;
    const field = document.createElement("input");
    field.type = "search";
    field.placeholder = "filter rows";
    field.className = "filter";
    field.setAttribute("aria-label", `Filter: ${table.caption?.innerText ?? "table"}`);
    table.parentElement.before(field);
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of body.rows) {
        const text = row.innerText.toLowerCase();
        row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word) || text.includes(word));
      }
    });
  }
})();
