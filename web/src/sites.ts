// Sites: how one is named, its full stack, and tables of them.

import { h, type Child } from "./dom.ts";
import { bytes, count, counted, duration, elide, share } from "./format.ts";
import { CLASSES, LAST_SHOWN_CLASS, METRICS, largest, threadName, type Metric, type MetricId, type Profile } from "./profile.ts";

/** So many rows are made at first: about as many as there is room for. */
function pageRows(): number {
  return Math.max(20, Math.ceil(innerHeight / 36));
}

export function amount(metric: Metric, value: number): string {
  return metric.isBytes ? bytes(value) : count(value);
}

export function metricOf(id: MetricId): Metric {
  return METRICS.find((metric) => metric.id === id) ?? METRICS[0]!;
}

/** What the line's blocks are, the program's function nearest to the allocation, its place, and what it called. */
export function headOf(profile: Profile, line: number, metric: MetricId = "peak"): HTMLElement {
  const head = profile.head(line);
  // Of a line whose largest part is of no type, a lesser part's type would mislead.
  const type = profile.typeOf(profile.sitesOf(line, metric)[0]!);
  const others = type ? profile.typesOf(line, metric).slice(1) : [];
  if (head.fn < 0) return h("span", { class: "head" }, "no stack");
  return h(
    "span",
    { class: "head" },
    type && h("span", { class: "type", title: [type, ...others].join("\n") }, elide(type, 60)),
    type && h("small", {}, others.length > 0 ? ` and ${counted(others.length, "other type")} in ` : " in "),
    h("span", { class: "fn", title: profile.fullName(head.fn) }, elide(profile.shortName(head.fn), 90)),
    // A type says more than the operation, which is told where the line is opened.
    head.via >= 0 &&
      !type &&
      h("span", { class: "via", title: profile.fullName(head.via) }, ` via ${elide(profile.shortName(head.via), 60)}`),
    " ",
    h("span", { class: "place", title: profile.fullPlace(head.frame) }, profile.place(head.frame)),
  );
}

/** Everything about one line of the report: its numbers, and the full stack of the site with the most. */
export function detail(profile: Profile, line: number, metric: Metric): HTMLElement {
  const sites = profile.sitesOf(line, metric.id);
  const stack = h("div");
  let which = 0;
  const show = (all: boolean) => stack.replaceChildren(stackOf(profile, sites[which]!, all, () => show(true)));
  show(false);
  const kinds = [...new Set(sites.map((site) => profile.kind(site)).filter(Boolean))].join(", ");
  const many =
    sites.length > 1 &&
    h(
      "p",
      { class: "note" },
      `This line is ${sites.length} stacks that agree in the program's own frames. Stack `,
      h(
        "select",
        {
          "aria-label": "Which stack",
          onchange: (event: Event) => {
            which = Number((event.target as HTMLSelectElement).value);
            show(false);
          },
        },
        ...sites
          .slice(0, 100)
          .map((site, i) => h("option", { value: i }, `${i + 1}: ${amount(metric, profile.bySite[metric.id][site]!)}`)),
      ),
    );
  const allocations = profile.byLine.allocations[line]!;
  const types = profile.typesOf(line, metric.id);
  const threads = profile.threadsOf(line).map(threadName);
  const { via } = profile.head(line);
  return h(
    "div",
    { class: "detail" },
    h(
      "dl",
      {},
      ...METRICS.map((it) => {
        const value = profile.byLine[it.id][line]!;
        return fact(it.label, `${amount(it, value)} `, h("small", {}, share(value, profile.total[it.id])));
      }),
      fact("Mean size", allocations > 0 ? bytes(Math.round(profile.byLine.allocated[line]! / allocations)) : "–"),
      fact("First", duration(profile.lineFirst[line]!)),
      fact("By", kinds || "–"),
      via >= 0 && fact("Operation", h("code", { title: profile.fullName(via) }, elide(profile.shortName(via), 90))),
      threads.length > 0 && fact("By thread", h("span", { title: threads.join("\n") }, threads.slice(0, 4).join(", ")), threads.length > 4 && ` and ${counted(threads.length - 4, "more")}`),
      types.length > 0 && fact("Type", h("code", {}, types.slice(0, 8).join(", ")), types.length > 8 && ` and ${counted(types.length - 8, "more")}`),
    ),
    many,
    stack,
  );
}

function fact(what: string, ...text: Child[]): HTMLElement {
  return h("div", {}, h("dt", {}, what), h("dd", {}, ...text));
}

/** A stack, innermost first. Frames of library and runtime are folded unless `all`. */
function stackOf(profile: Profile, site: number, all: boolean, unfold: () => void): HTMLElement {
  const { frames } = profile.data;
  const list = h("ol", { class: "stack" });
  const stack = [...profile.frames(profile.siteStack[site]!)];
  const isShown = (frame: number) => all || frames.class[frame]! <= LAST_SHOWN_CLASS;
  const hasShown = stack.some(isShown);
  let folded = 0;
  const fold = () => {
    if (folded > 0) {
      const text = `… ${folded} frame${folded === 1 ? "" : "s"} of library and runtime`;
      list.append(h("li", { class: "folded" }, h("button", { type: "button", onclick: unfold }, text)));
    }
    folded = 0;
  };
  for (const frame of stack) {
    if (hasShown && !isShown(frame)) {
      folded++;
      continue;
    }
    fold();
    const fn = frames.function[frame]!;
    list.append(
      h(
        "li",
        { class: `class-${frames.class[frame]}` },
        h("span", { class: "fn", title: `${profile.fullName(fn)} (${CLASSES[frames.class[frame]!]})` }, profile.shortName(fn)),
        " ",
        h("span", { class: "place", title: profile.fullPlace(frame) }, profile.place(frame)),
        frames.inlined[frame] === 1 && h("small", {}, " inlined"),
        snippetOf(profile, frame),
      ),
    );
  }
  fold();
  if (stack.length === 0) list.append(h("li", {}, "No stack could be had."));
  if (profile.data.sites.truncated[site] === 1) {
    list.append(h("li", { class: "note" }, "The stack is cut short here; its outer frames are not known."));
  }
  return list;
}

/** The source around a frame, if it was at hand when the report was written. */
function snippetOf(profile: Profile, frame: number): Child {
  const { frames, snippets } = profile.data;
  const [file, line] = [frames.file[frame]!, frames.line[frame]!];
  const snippet = snippets.find(
    (it) => it.file === file && line >= it.first_line && line < it.first_line + it.text.length,
  );
  if (!snippet || !line) return null;
  const code = h("pre");
  snippet.text.forEach((text, i) => {
    const number = snippet.first_line + i;
    if (Math.abs(number - line) <= 3) {
      code.append(h("span", { class: number === line ? "here" : "" }, `${String(number).padStart(5)}  ${text}\n`));
    }
  });
  return h("details", { open: frames.class[frame] === 0 }, h("summary", {}, "source"), code);
}

export interface Column {
  id: string;
  label: string;
  help?: string;
  /** Hidden where there is little room. */
  isWide?: boolean;
  /** By line, what is sorted by. */
  keys: () => Float64Array;
  show: (line: number) => Child;
}

export interface TableOptions {
  profile: Profile;
  /** Ascending. */
  lines: Int32Array;
  columns: Column[];
  sort: string;
  /** The line that is open, -1: none. */
  open: number;
  metric: Metric;
  empty: string;
  onSort?: (column: string) => void;
  onOpen: (line: number) => void;
}

/** A table of lines, largest first, a page of rows at a time. */
export function table(options: TableOptions): HTMLElement {
  const { profile, columns, metric } = options;
  if (options.lines.length === 0) return h("p", { class: "empty" }, options.empty);
  const by = columns.find((column) => column.id === options.sort) ?? columns[0]!;
  const keys = by.keys();
  const { lines, open } = options;
  const body = h("tbody");
  let shown = 0;
  const more = h("button", { type: "button", class: "more", onclick: () => grow() }, "");
  function row(line: number): void {
    let details: HTMLElement | null = null;
    const toggle = h("button", { type: "button", class: "toggle", "aria-expanded": "false" }, headOf(profile, line, metric.id));
    const unfold = (isOpen: boolean) => {
      toggle.setAttribute("aria-expanded", String(isOpen));
      details?.remove();
      details = isOpen ? h("tr", { class: "detail-row" }, h("td", { colspan: columns.length + 1 }, detail(profile, line, metric))) : null;
      if (details) whole.after(details);
    };
    toggle.addEventListener("click", () => {
      const isOpen = details === null;
      unfold(isOpen);
      options.onOpen(isOpen ? line : -1);
    });
    const whole = h(
      "tr",
      {},
      h("td", { class: "what" }, toggle),
      ...columns.map((column) => h("td", { class: `number${column.isWide && column !== by ? " wide" : ""}` }, column.show(line))),
    );
    body.append(whole);
    if (line === open) {
      unfold(true);
      requestAnimationFrame(() => toggle.scrollIntoView({ block: "center" }));
    }
  }
  function grow(): void {
    // Doubled each time, so that the end can be reached.
    const rows = Math.max(pageRows(), shown, place + 1 - shown);
    for (const line of largest(lines, keys, shown + rows).slice(shown)) row(line);
    shown = Math.min(lines.length, shown + rows);
    more.hidden = shown === lines.length;
    more.textContent = `Show more: ${counted(lines.length - shown, "line")}`;
  }
  // What is open is shown, however far down it stands.
  let place = lines.includes(open) ? 0 : -1;
  if (place === 0) for (const line of lines) if (keys[line]! > keys[open]! || (keys[line] === keys[open] && line < open)) place++;
  grow();
  return h(
    "div",
    { class: "table" },
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col", class: "what" }, "Site"),
          ...columns.map((column) =>
            h(
              "th",
              {
                scope: "col",
                class: `number${column.isWide && column !== by ? " wide" : ""}`,
                title: column.help,
                "aria-sort": column === by ? "descending" : undefined,
              },
              options.onSort
                ? h("button", { type: "button", onclick: () => options.onSort!(column.id) }, column.label)
                : column.label,
            ),
          ),
        ),
      ),
      body,
    ),
    more,
  );
}
