// The views of the page, each a function from the profile and what is looked at to an element.

import { h } from "./dom.ts";
import { flame, legend } from "./flame.ts";
import { bytes, count, counted, duration, elide, plainBytes, plainCount, share, signed } from "./format.ts";
import { METRICS, largest, threadName, type MetricId, type Profile } from "./profile.ts";
import { amount, detail, headOf, metricOf, table, type Column } from "./sites.ts";
import { DEFAULTS, type State } from "./state.ts";
import { sparkline, timeline } from "./timeline.ts";
import { Tree, type Box } from "./tree.ts";
import { types } from "./types.ts";

/** What a view may do to the page. */
export interface Page {
  profile: Profile;
  state: State;
  /** Shows another state. */
  go(change: Partial<State>): void;
  /** Notes a change in the address, without drawing anew. */
  note(change: Partial<State>): void;
}

export interface View {
  id: string;
  label: string;
  /** Whether the search field has a meaning in it. */
  isSearched?: boolean;
  hasMetric?: boolean;
  is(profile: Profile): boolean;
  draw(page: Page): HTMLElement;
}

const searches = new WeakMap<Profile, { q: string; lines: Int32Array }>();
const wholes = new WeakMap<Profile, Int32Array>();

/** The lines with a site that the search finds, ascending. The last search is kept. */
function found({ profile, state }: Page): Int32Array {
  if (state.q === "") {
    let whole = wholes.get(profile);
    if (!whole) wholes.set(profile, (whole = new Int32Array(profile.lines).map((_, line) => line)));
    return whole;
  }
  const known = searches.get(profile);
  if (known?.q === state.q) return known.lines;
  const isFound = new Uint8Array(profile.lines);
  const sites = profile.matches(state.q);
  const { siteLine } = profile;
  for (let site = 0; site < sites.length; site++) isFound[siteLine[site]!]! |= sites[site]!;
  const all = new Int32Array(profile.lines);
  let count = 0;
  for (let line = 0; line < isFound.length; line++) if (isFound[line]) all[count++] = line;
  const lines = all.subarray(0, count);
  searches.set(profile, { q: state.q, lines });
  return lines;
}

function overview(page: Page): HTMLElement {
  const { profile, state } = page;
  const metric = metricOf(state.metric);
  const { warnings, completeness } = profile.data;
  const whole = Math.max(profile.total[metric.id], 1);
  const rows = profile.top(metric.id, 5).map((line) => {
    const value = profile.byLine[metric.id][line]!;
    const bar = h("span", { class: "bar" });
    bar.style.width = `${Math.min(100, (value * 100) / whole)}%`;
    const body = h("div", { class: "body" });
    return h(
      "li",
      {},
      h(
        "details",
        {
          open: line === state.line,
          ontoggle: (event: Event) => {
            const isOpen = (event.target as HTMLDetailsElement).open;
            if (isOpen && !body.firstChild) body.append(detail(profile, line, metric));
            if (isOpen !== (page.state.line === line)) page.note({ line: isOpen ? line : -1 });
          },
        },
        h(
          "summary",
          {},
          h("span", { class: "value" }, h("b", {}, amount(metric, value)), " ", h("small", {}, share(value, whole))),
          headOf(profile, line, metric.id),
          bar,
        ),
        body,
      ),
    );
  });
  const facts = [...completeness.facts, ...warnings.map(([message]) => `Warning: ${message}.`)];
  return h(
    "section",
    {},
    facts.length > 0 &&
      h(
        "details",
        { class: "facts" },
        h("summary", {}, `${counted(facts.length, "thing")} to know about these numbers`),
        h("ul", {}, ...facts.map((fact) => h("li", {}, fact))),
      ),
    h("h2", {}, "Live bytes over time"),
    timeline({ profile, height: 190, span: null, onBrush: (span) => span && page.go({ view: "timeline", from: Math.round(span[0]), to: Math.round(span[1]) }) }),
    h("h2", {}, `Top sites by ${metric.label.toLowerCase()}, of ${amount(metric, profile.total[metric.id])}`),
    rows.length > 0 ? h("ol", { class: "top" }, ...rows) : h("p", { class: "empty" }, "No site has any."),
    profile.lines > 5 &&
      h("p", { class: "go" }, h("button", { type: "button", onclick: () => page.go({ view: "sites" }) }, `All ${counted(profile.lines, "site")}`)),
  );
}

const trees = new Map<boolean, Tree>();

function treeOf(profile: Profile, folded: boolean): Tree {
  let tree = trees.get(folded);
  if (!tree) trees.set(folded, (tree = new Tree(profile, folded)));
  return tree;
}

/** So long may a step of what is prepared take, if it can be cut. */
const STEP_MS = 8;

/** Makes the boxes that a flame graph of this width shows. */
function makeBoxes(root: Box, width: number): void {
  const open = [root];
  const least = Math.max(root.value / width, 1);
  for (let box = open.pop(); box; box = open.pop()) {
    for (const child of box.children(least)) if (child.value >= least) open.push(child);
  }
}

/**
 * Makes what views need, while nobody waits for it, a little at a time: trees, and each view once, which is thrown away, but
 * whose sums are kept and whose code is compiled then.
 */
export function prepare(profile: Profile, views: View[]): void {
  const page: Page = { profile, state: { ...DEFAULTS }, go: () => {}, note: () => {} };
  const roots = (folded: boolean, inverse: boolean) =>
    METRICS.map(({ id }) => () => makeBoxes(treeOf(profile, folded).root(id, inverse), innerWidth));
  // A step that says false has more to do.
  const steps: (() => unknown)[] = [
    () => treeOf(profile, true).grow(STEP_MS),
    ...views.map((view) => () => void view.draw(page)),
    // Often enough that the browser's compiler has made the best of it.
    ...["a", "e", "i", "n", "o", "t"].map((q) => () => void found({ ...page, state: { ...page.state, q } })),
    ...METRICS.map(({ id }) => () => void profile.top(id, 1)),
    ...[true, false].flatMap((folded) => [
      () => treeOf(profile, folded).grow(STEP_MS),
      ...roots(folded, false),
      () => treeOf(profile, folded).prepare(STEP_MS),
      ...roots(folded, true),
    ]),
  ];
  const soon = { timeout: 400 };
  const next = (deadline: IdleDeadline) => {
    do {
      if (steps[0]!() !== false) steps.shift();
    } while (steps.length > 0 && deadline.timeRemaining() > STEP_MS);
    if (steps.length > 0) requestIdleCallback(next, soon);
    else performance.mark("memscope-prepared");
  };
  // A browser that finds no idle time under load would leave it to the first click.
  requestIdleCallback(next, soon);
}

function graph(page: Page): HTMLElement {
  const { profile, state } = page;
  const metric = metricOf(state.metric);
  const tree = treeOf(profile, !state.all);
  const root = tree.root(metric.id, state.inverse);
  const choice = (label: string, help: string, key: "inverse" | "all") =>
    h(
      "label",
      { title: help },
      h("input", {
        type: "checkbox",
        checked: state[key],
        onchange: (event: Event) => page.go({ [key]: (event.target as HTMLInputElement).checked }),
      }),
      ` ${label}`,
    );
  return h(
    "section",
    {},
    h("p", { class: "choices" },
      choice("Inside out", "What allocated is on top, its callers are below", "inverse"),
      choice("Frames of library and runtime", "Also show frames that are not the program's", "all"),
    ),
    legend(state.all ? [0, 1, 2, 3, 4, 5] : [0, 1, 2, 3]),
    root.value > 0
      ? flame({
          profile,
          root,
          metric,
          q: state.q,
          inverse: state.inverse,
          onSearch: (fn) => page.go({ view: "sites", q: profile.fullName(fn), line: -1 }),
        })
      : h("p", { class: "empty" }, `There is nothing to show: ${metric.help.toLowerCase()}: none.`),
    h("p", { class: "note" }, "Click a box to zoom in. Arrow keys move, Enter zooms, Escape shows all."),
  );
}

function siteColumns(profile: Profile): Column[] {
  const columns: Column[] = METRICS.map((metric) => ({
    id: metric.id,
    label: metric.label,
    help: metric.help,
    isWide: true,
    keys: () => profile.byLine[metric.id],
    show: (line) => {
      const value = profile.byLine[metric.id][line]!;
      return value === 0
        ? h("small", {}, "–")
        : h("span", {}, amount(metric, value), " ", h("small", {}, share(value, profile.total[metric.id])));
    },
  }));
  columns.push(
    { id: "mean", label: "Mean size", isWide: true, keys: () => profile.lineMean, show: (line) => bytes(Math.round(profile.lineMean[line]!)) },
    {
      id: "first",
      label: "First",
      help: "When the first allocation came",
      isWide: true,
      keys: () => profile.lineFirst,
      show: (line) => duration(profile.lineFirst[line]!),
    },
  );
  return columns;
}

function sites(page: Page): HTMLElement {
  const { profile, state } = page;
  const lines = found(page);
  return h(
    "section",
    {},
    h("p", { class: "note", "aria-live": "polite" }, state.q ? `${counted(lines.length, "site")} with “${state.q}” in the stack, the type or a thread` : `${counted(lines.length, "site")}; click one for its full stack`),
    table({
      profile,
      lines,
      columns: siteColumns(profile),
      sort: state.sort || state.metric,
      open: state.line,
      metric: metricOf(state.metric),
      empty: "No site has that in its stack, its type or its threads.",
      onSort: (sort) => page.go(METRICS.some((it) => it.id === sort) ? { sort: "", metric: sort as MetricId } : { sort }),
      onOpen: (line) => page.note({ line }),
    }),
  );
}

function time(page: Page): HTMLElement {
  const { profile, state } = page;
  const end = Math.max(profile.data.run.duration_ms, profile.ms.at(-1) ?? 0);
  const hasSpan = state.to > state.from && state.to >= 0;
  const [from, to] = hasSpan ? [state.from, state.to] : [-1, end];
  const below = h("div");
  const report = () => {
    const changes = profile.between(from, to);
    const lines = found(page).filter((line) => changes.live[line] !== 0 || changes.allocations[line] !== 0);
    const { grown, rest } = changes;
    const edges = profile.edges(from, to);
    const columns: Column[] = [
      { id: "grown", label: "Grown", help: "Live bytes at the end of the span less those at its start", keys: () => changes.live, show: (line) => signed(bytes(changes.live[line]!), changes.live[line]!) },
      { id: "shrunk", label: "Shrunk", isWide: true, keys: () => changes.live.map((bytes) => -bytes), show: (line) => (changes.live[line]! < 0 ? bytes(changes.live[line]!) : h("small", {}, "–")) },
      { id: "allocated", label: "Allocated bytes", isWide: true, keys: () => changes.allocated, show: (line) => bytes(changes.allocated[line]!) },
      { id: "allocations", label: "Allocations", isWide: true, keys: () => changes.allocations, show: (line) => count(changes.allocations[line]!) },
    ];
    const sort = columns.some((it) => it.id === state.sort) ? state.sort : "grown";
    below.replaceChildren(
      rest > 0 ? h("p", { class: "note" }, `Small changes, in which ${bytes(rest)} were allocated, are not broken down by site.`) : "",
      edges[0] === edges[1]
        ? h("h2", {}, `No sample was taken between ${duration(Math.max(0, from))} and ${duration(to)}`)
        : h("h2", {}, hasSpan ? `From ${duration(edges[0])} to ${duration(edges[1])}` : "The whole run", `: ${signed(bytes(grown), grown)} live`),
      table({
        profile,
        lines,
        columns,
        sort,
        open: state.line,
        metric: metricOf(state.metric),
        empty: "Nothing changed between the samples of this span.",
        onSort: (sort) => page.go({ sort }),
        onOpen: (line) => page.note({ line }),
      }),
    );
  };
  report();
  const edge = (label: string, value: number, key: "from" | "to") =>
    h("label", {}, `${label} `, h("input", {
      type: "range",
      min: 0,
      max: end,
      step: Math.max(1, Math.round(end / 500)),
      value,
      onchange: (event: Event) => {
        const value = Number((event.target as HTMLInputElement).value);
        page.go({ from: Math.max(0, from), to, [key]: value });
      },
    }));
  return h(
    "section",
    {},
    timeline({
      profile,
      height: 240,
      span: hasSpan ? [from, to] : null,
      onBrush: (span) => page.go(span ? { from: Math.round(span[0]), to: Math.round(span[1]) } : { from: -1, to: -1 }),
    }),
    h("p", { class: "choices" },
      edge("From", Math.max(0, from), "from"),
      edge("to", to, "to"),
      hasSpan && h("button", { type: "button", onclick: () => page.go({ from: -1, to: -1 }) }, "The whole run"),
    ),
    h("p", { class: "note" }, `Drag over the curve to choose a span. A sample was taken every ${duration(profile.data.timeline.interval_ms)}; what is said below is from one to another, and what came and went between two of them is not in “grown”.`),
    below,
  );
}

export function plainTable(head: string[], rows: (string | Node)[][], text = 1): HTMLElement {
  const cell = (i: number) => (i < text ? "what" : "number");
  return h(
    "div",
    { class: "table" },
    h("table", {},
      h("thead", {}, h("tr", {}, ...head.map((it, i) => h("th", { scope: "col", class: cell(i) }, it)))),
      h("tbody", {}, ...rows.map((row) => h("tr", {}, ...row.map((it, i) => h("td", { class: cell(i) }, it))))),
    ),
  );
}

function threads(page: Page): HTMLElement {
  const { profile, state } = page;
  const wanted = state.q.toLowerCase();
  const named = profile.data.threads.filter((it) => threadName(it).toLowerCase().includes(wanted));
  const all = named.sort((a, b) => b.allocated_bytes - a.allocated_bytes);
  const rows = all.map((it) => [
    profile.data.thread_sets.length > 0 && it.allocations > 0
      ? h("button", { type: "button", class: "toggle", title: "Its sites", onclick: () => page.go({ view: "sites", q: threadName(it), line: -1 }) }, it.name || "(without a name)")
      : it.name || "(without a name)",
    String(it.tid),
    bytes(it.allocated_bytes),
    count(it.allocations),
    count(it.frees),
    share(it.temporary, it.allocations) || "–",
    duration(it.first_ms),
    it.attempts === it.successes ? "complete" : `${count(it.attempts - it.successes)} missed`,
  ]);
  return h(
    "section",
    {},
    h("p", { class: "note" }, "What each thread did itself; what it freed may have been allocated by another. Click one for the sites at which it allocated."),
    plainTable(["Thread", "Id", "Allocated", "Allocations", "Frees", "Temporary", "First", "Recorded"], rows),
  );
}

function tasks({ profile }: Page): HTMLElement {
  const all = [...profile.data.tasks].sort((a, b) => b.allocated_bytes - a.allocated_bytes);
  return h(
    "section",
    {},
    h("p", { class: "note" }, "What was allocated while each task, scope or span was current, on whatever thread; what it holds stays its own until it is freed."),
    plainTable(
      ["Task", "", "Most at once", "Live at end", "Allocated", "Allocations"],
      all.map((it) => [it.name, it.kind, bytes(it.peak_bytes), bytes(it.live_bytes), bytes(it.allocated_bytes), count(it.allocations)]),
      2,
    ),
  );
}

function variables({ profile }: Page): HTMLElement {
  const all = [...profile.data.variables].sort((a, b) => b.peak_bytes - a.peak_bytes);
  return h(
    "section",
    {},
    h("p", { class: "note" }, "Values that the program gave a name to."),
    plainTable(
      ["Variable", "Type", "Where", "Live at end", "Blocks", "Most at once"],
      all.map((it) => [
        it.name,
        h("code", { title: it.type_name }, elide(it.type_name)),
        `${it.file}:${it.line}`,
        // Only what was recorded exactly has a name, also in a process that began with a sample.
        plainBytes(it.live_bytes),
        `${plainCount(it.live_blocks)} of ${plainCount(it.blocks)}`,
        plainBytes(it.peak_bytes),
      ]),
      3,
    ),
  );
}

function leaks(page: Page): HTMLElement {
  const { profile, state } = page;
  const lines = found(page).filter((line) => profile.byLine.live[line]! > 0);
  const most = Int32Array.from(largest(lines, profile.byLine.live, 2000)).sort();
  const histories = profile.histories([...most]);
  const evidence = (line: number): string => {
    const frees = profile.byLine.allocations[line]! - profile.lineLiveBlocks[line]!;
    const words = [frees === 0 ? "nothing from here was ever freed" : `${counted(frees, "block")} of it freed`];
    const history = histories.get(line);
    if (history && history.length >= 4) {
      const last = history.at(-1)!;
      const half = history[history.length >> 1]!;
      let changed = history.length - 1;
      while (changed > 0 && history[changed - 1] === last) changed--;
      let grew = 0;
      let shrank = 0;
      for (let i = 1; i < history.length; i++) {
        if (history[i]! > history[i - 1]!) grew++;
        else if (history[i]! < history[i - 1]!) shrank++;
      }
      if (last > half * 1.1 && grew > 2 && shrank * 4 <= grew) {
        words.push(`still growing: ${bytes(half)} at half time, grew in ${grew} of ${history.length - 1} samples and shrank in ${shrank}`);
      } else if (changed < history.length - 1) words.push(`unchanged since ${duration(profile.spanEnd[changed]!)}`);
    }
    return words.join("; ");
  };
  const columns: Column[] = [
    {
      id: "live",
      label: "Live at end",
      keys: () => profile.byLine.live,
      show: (line) => h("span", {}, bytes(profile.byLine.live[line]!), " ", h("small", {}, share(profile.byLine.live[line]!, profile.total.live))),
    },
    {
      id: "blocks",
      label: "Blocks",
      isWide: true,
      keys: () => profile.lineLiveBlocks,
      show: (line) => `${count(profile.lineLiveBlocks[line]!)} of ${count(profile.byLine.allocations[line]!)}`,
    },
    {
      id: "trend",
      label: "Over time",
      isWide: true,
      keys: () => profile.byLine.live,
      show: (line) => {
        const history = histories.get(line);
        return history && history.length > 1 ? sparkline(history, "Live bytes of this site over the run") : "–";
      },
    },
    { id: "evidence", label: "Evidence", isWide: true, keys: () => profile.byLine.live, show: (line) => h("span", { class: "words" }, evidence(line)) },
  ];
  return h(
    "section",
    {},
    h("p", { class: "note" }, "What was never freed. That alone is no leak: a program may hold what it needs to its end. What was still growing deserves the first look."),
    table({
      profile,
      lines: most,
      columns,
      sort: columns.some((it) => it.id === state.sort) ? state.sort : "live",
      open: state.line,
      metric: metricOf("live"),
      empty: state.q ? "No site that holds memory at the end has that in its stack." : "Every block was freed.",
      onSort: (sort) => page.go({ sort }),
      onOpen: (line) => page.note({ line }),
    }),
  );
}

function growth(page: Page): HTMLElement {
  const { profile } = page;
  const { about, copied_bytes, rows } = profile.data.growth;
  const wanted = new Set(found(page));
  const shown = rows.filter((it) => wanted.has(it.line)).slice(0, 400);
  return h(
    "section",
    {},
    h("p", { class: "note" }, `${about}. A block that grows step by step is copied at many of them; room that is reserved before the first step spares that. Only what realloc did is known.`),
    shown.length > 0
      ? plainTable(
          ["Site", "Copied", "", "Times"],
          shown.map((it) => [
            h("div", {},
              h("button", { type: "button", class: "toggle", onclick: () => page.go({ view: "sites", q: "", line: it.line }) }, headOf(profile, it.line, "allocated")),
              h("div", { class: "note" }, it.steps, it.advice && ": ", it.advice && h("b", {}, it.advice)),
            ),
            bytes(it.copied_bytes),
            share(it.copied_bytes, copied_bytes),
            count(it.growths),
          ]),
        )
      : h("p", { class: "empty" }, "No site that grew has that in its stack."),
  );
}

function modules({ profile }: Page): HTMLElement {
  const all = [...profile.data.modules].sort((a, b) => Number(a.is_named) - Number(b.is_named));
  const missing = all.filter((it) => !it.is_named).length;
  return h(
    "section",
    {},
    h("p", { class: "note" }, missing === 0 ? "Every mapped object that stands in a stack has names." : `${counted(missing, "object")} without names; their functions are shown as addresses. The warnings under Completeness say what to do.`),
    plainTable(
      ["Object", "Names", "Build id"],
      all.map((it) => [
        it.path || "(no path)",
        it.debug_path ? `${it.symbols}, from ${it.debug_path}` : it.symbols,
        h("code", { title: it.build_id }, it.build_id.slice(0, 12)),
      ]),
      2,
    ),
  );
}

function completeness({ profile }: Page): HTMLElement {
  const { completeness: it, warnings, run, totals } = profile.data;
  const rows: [string, string][] = [
    ["Events (allocations and frees)", count(it.attempts)],
    ["Recorded", `${count(it.successes)} (${share(it.successes, it.attempts)})`],
    ...it.misses.map(([why, n]): [string, string] => [`Missed: ${why}`, count(n)]),
    ["Stacks cut short", count(it.truncated_stacks)],
    ["Stacks that are not the thread's own", count(it.foreign_stacks)],
    ["Frees of blocks from before", count(it.unknown_frees)],
    ["The peak is exact to within", bytes(it.peak_uncertainty_bytes)],
    ["Allocations that failed", count(totals.failed)],
    ["Samples over time", count(profile.ms.length)],
    ["Mode", run.mode],
    ["Written by", `memscope ${run.version}`],
    ["Started", new Date(run.start_ms).toLocaleString()],
    ["Executable", run.exe],
  ];
  return h(
    "section",
    {},
    it.facts.length > 0 && h("ul", {}, ...it.facts.map((fact) => h("li", {}, fact))),
    ...warnings.map(([message, hint]) => h("p", { class: "warning" }, h("b", {}, "Warning: "), message, ". ", h("i", {}, hint))),
    h("div", { class: "facts-table" }, plainTable(["", ""], rows)),
  );
}

export const VIEWS: View[] = [
  { id: "overview", label: "Overview", hasMetric: true, is: () => true, draw: overview },
  { id: "flame", label: "Flame graph", hasMetric: true, isSearched: true, is: (it) => it.lines > 0, draw: graph },
  { id: "sites", label: "Sites", hasMetric: true, isSearched: true, is: (it) => it.lines > 0, draw: sites },
  { id: "types", label: "Types", hasMetric: true, isSearched: true, is: (it) => it.data.types.length > 0, draw: types },
  { id: "timeline", label: "Timeline", isSearched: true, is: (it) => it.ms.length > 0, draw: time },
  { id: "threads", label: "Threads", isSearched: true, is: (it) => it.data.threads.length > 0, draw: threads },
  { id: "tasks", label: "Tasks", is: (it) => it.data.tasks.length > 0, draw: tasks },
  { id: "variables", label: "Variables", is: (it) => it.data.variables.length > 0, draw: variables },
  { id: "leaks", label: "Never freed", isSearched: true, is: (it) => it.lines > 0, draw: leaks },
  { id: "growth", label: "Growth", isSearched: true, is: (it) => it.data.growth.rows.length > 0, draw: growth },
  { id: "modules", label: "Objects", is: (it) => it.data.modules.length > 0, draw: modules },
  { id: "completeness", label: "Completeness", is: () => true, draw: completeness },
];
