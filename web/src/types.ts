// The heap by type: what the blocks are, how that is known, and at which sites they were allocated.

import { h } from "./dom.ts";
import { bytes, count, counted, elide, share } from "./format.ts";
import type { MetricId, Payload } from "./profile.ts";
import { amount, headOf, metricOf } from "./sites.ts";
import { plainTable, type Page } from "./views.ts";

type Row = Payload["types"][number];

/** So many types are shown at first. */
const ROWS = 40;
/** More sites of one type than this are not listed. */
const MAX_SITES = 50;

function valueOf(row: Row, metric: MetricId): number {
  switch (metric) {
    case "peak": return row.peak_bytes;
    case "live": return row.live_bytes;
    case "allocated": return row.allocated_bytes;
    case "allocations": return row.allocations;
    case "temporary": return row.temporary;
  }
}

/** The name of a type, and its sites below it when it is opened. */
function nameOf(page: Page, row: Row, lines: number[]): HTMLElement {
  const { profile, state } = page;
  const metric = metricOf(state.metric);
  const body = h("ul", { class: "sites" });
  const fill = () => {
    const values = profile.byLine[metric.id];
    const sorted = [...lines].sort((a, b) => values[b]! - values[a]!);
    body.replaceChildren(
      ...sorted.slice(0, MAX_SITES).map((line) =>
        h("li", {}, h("button", { type: "button", class: "toggle", onclick: () => page.go({ view: "sites", q: "", line }) }, headOf(profile, line))),
      ),
      ...(lines.length > MAX_SITES ? [h("li", {}, `and ${counted(lines.length - MAX_SITES, "more site")}`)] : []),
    );
  };
  return h(
    "details",
    { ontoggle: () => body.firstChild || fill() },
    h("summary", { title: row.name }, h("code", {}, row.name === "" ? "(unknown)" : elide(row.name, 90)), " ", h("small", {}, counted(lines.length, "site"))),
    body,
  );
}

export function types(page: Page): HTMLElement {
  const { profile, state } = page;
  const metric = metricOf(state.metric);
  const wanted = state.q.toLowerCase();
  const all = profile.data.types.filter((row) => valueOf(row, metric.id) > 0);
  const total = all.reduce((sum, row) => sum + valueOf(row, metric.id), 0);
  const known = (by: string) => all.reduce((sum, row) => sum + (row.known_by === by ? valueOf(row, metric.id) : 0), 0);
  const found = all
    .filter((row) => row.name.toLowerCase().includes(wanted))
    .sort((a, b) => valueOf(b, metric.id) - valueOf(a, metric.id));
  const lines = profile.linesOfTypes();
  const grew = all.some((row) => row.copied_bytes + row.given_back_bytes > 0);
  const rowOf = (row: Row) => [
    nameOf(page, row, lines[profile.data.types.indexOf(row)]!),
    amount(metric, valueOf(row, metric.id)),
    share(valueOf(row, metric.id), total) || "–",
    count(row.peak_blocks),
    row.peak_capacity === undefined ? "–" : count(row.peak_capacity),
    row.known_by,
    bytes(Math.round(row.allocated_bytes / Math.max(1, row.allocations))),
    row.largest_block_bytes === undefined ? "–" : (row.is_largest_of_sample ? "≥" : "") + bytes(row.largest_block_bytes),
    bytes(row.live_bytes),
    count(row.allocations),
    ...(grew ? [bytes(row.copied_bytes), bytes(row.given_back_bytes)] : []),
  ];
  const body = h("div");
  const show = (n: number) =>
    body.replaceChildren(
      plainTable(["Type", metric.label, "", "Peak blocks", "Room for", "Known by", "Mean", "Largest", "Live at end", "Allocations", ...(grew ? ["Copied", "Given back"] : [])], found.slice(0, n).map(rowOf)),
      found.length > n ? h("button", { type: "button", class: "more", onclick: () => show(n * 4) }, `Show more: ${counted(found.length - n, "type")}`) : "",
    );
  show(ROWS);
  return h(
    "section",
    {},
    h("p", { class: "note" },
      `Of ${amount(metric, total)}, ${share(known("size") + known("name"), total) || "nothing"} has a type; of ${share(known("size"), total) || "nothing"} its size fits the blocks. `,
      "Where only the function is known, the line says “in”. Room is a capacity: how many values there were is not recorded. Mean and largest are sizes of blocks; copied is what growing moved, given back what shrinking did. Click a type for its sites.",
    ),
    found.length > 0
      ? body
      : h("p", { class: "empty" }, "No type has that in its name."),
  );
}
