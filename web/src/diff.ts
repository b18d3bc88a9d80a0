// The page of `memscope diff`: its tables, sorted by the column whose head is clicked.
//
// Without this script the page shows the same, in the order in which it was written: what changed most comes first.

function cells(row: HTMLTableRowElement, column: number): { number: number; text: string } {
  const cell = row.cells[column]!;
  return { number: Number(cell.dataset["number"] ?? NaN), text: cell.textContent ?? "" };
}

/** Sorts by a column: numbers from the largest down, words in their order; the other way round if it was already. */
function sort(body: HTMLTableSectionElement, head: HTMLTableCellElement): void {
  const column = head.cellIndex;
  const rows = [...body.rows].map((row) => ({ row, ...cells(row, column) }));
  const isNumber = rows.every(({ number }) => !Number.isNaN(number));
  const was = head.getAttribute("aria-sort");
  const first = isNumber ? "descending" : "ascending";
  const order = was === first ? (isNumber ? "ascending" : "descending") : first;
  const sign = order === "ascending" ? 1 : -1;
  rows.sort((a, b) => sign * (isNumber ? a.number - b.number : a.text.localeCompare(b.text)));
  body.append(...rows.map(({ row }) => row));
  for (const other of head.parentElement!.children) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", order);
}

// The first table is of the totals, of which each row has a unit of its own.
for (const table of [...document.querySelectorAll("table")].slice(1)) {
  for (const head of table.tHead!.rows[0]!.cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent || "How";
    button.addEventListener("click", () => sort(table.tBodies[0]!, head));
    head.replaceChildren(button);
  }
}
