// The profile as the page holds it: columns, and what follows from them by one pass.
//
// Invariant: whatever is shown as an amount is a sum of the profile's own numbers by site; nothing is estimated here.

/** As they come, and then as an array of a type. */
type Numbers = number[] | Float64Array;

export interface Payload {
  run: { exe: string; start_ms: number; duration_ms: number; mode: string; interval_bytes: number; version: string };
  completeness: {
    attempts: number;
    successes: number;
    facts: string[];
    misses: [string, number][];
    unknown_frees: number;
    truncated_stacks: number;
    foreign_stacks: number;
    peak_uncertainty_bytes: number;
  };
  warnings: [string, string][];
  totals: {
    allocations: number;
    allocated_bytes: number;
    frees: number;
    freed_bytes: number;
    reallocs: number;
    temporary: number;
    failed: number;
    peak_bytes: number;
    peak_blocks: number;
    peak_ms: number;
    peak_is_end: boolean;
    live_bytes: number;
    live_blocks: number;
  };
  functions: { name: string[]; short: string[] };
  files: { name: string[]; short: string[] };
  frames: { function: number[]; file: number[]; line: number[]; class: number[]; inlined: number[] };
  addresses: { frames: number[]; frame: number[] };
  stacks: { up: number[]; address: number[] };
  sites: {
    stack: number[];
    line: number[];
    /** The place in `types` plus one; empty if no type is known. */
    heap_type: number[];
    /** The place in `thread_sets` plus one, 0: not known; empty if it is known of none. */
    threads: number[];
    kind: number[];
    truncated: number[];
    first_ms: number[];
    allocations: Numbers;
    allocated_bytes: Numbers;
    live_blocks: number[];
    live_bytes: Numbers;
    temporary: Numbers;
    peak_blocks: number[];
    peak_bytes: Numbers;
  };
  types: {
    name: string;
    known_by: string;
    peak_bytes: number;
    peak_blocks: number;
    peak_capacity?: number;
    largest_block_bytes?: number;
    /** Whether another may be larger that is not in the sample. */
    is_largest_of_sample: boolean;
    /** By reallocs that made a block larger and moved it. */
    copied_bytes: number;
    /** By reallocs that made one smaller. */
    given_back_bytes: number;
    live_bytes: number;
    allocated_bytes: number;
    allocations: number;
    temporary: number;
  }[];
  growth: {
    about: string;
    copied_bytes: number;
    rows: { line: number; copied_bytes: number; growths: number; steps: string; advice: string }[];
  };
  threads: {
    tid: number;
    name: string;
    first_ms: number;
    attempts: number;
    successes: number;
    allocations: number;
    allocated_bytes: number;
    frees: number;
    freed_bytes: number;
    temporary: number;
  }[];
  /** Which threads allocated at a site: places in `threads`. */
  thread_sets: number[][];
  variables: {
    name: string;
    type_name: string;
    file: string;
    line: number;
    live_bytes: number;
    live_blocks: number;
    peak_bytes: number;
    blocks: number;
  }[];
  tasks: {
    name: string;
    kind: string;
    peak_bytes: number;
    live_bytes: number;
    allocated_bytes: number;
    allocations: number;
  }[];
  modules: { path: string; build_id: string; symbols: string; is_named: boolean; debug_path: string }[];
  timeline: { interval_ms: number; ms: number[]; live_bytes: number[]; live_blocks: number[]; allocations: number[] };
  spans: {
    samples: number[];
    changes: number[];
    rest_allocated_bytes: number[];
    line: number[];
    live_bytes: Numbers;
    allocated_bytes: Numbers;
    allocations: Numbers;
  };
  snippets: { file: number; first_line: number; text: string[] }[];
}

export type MetricId = "peak" | "live" | "allocated" | "allocations" | "temporary";

export interface Metric {
  id: MetricId;
  label: string;
  isBytes: boolean;
  help: string;
}

export const METRICS: Metric[] = [
  { id: "peak", label: "Peak", isBytes: true, help: "Bytes alive when the most bytes were alive" },
  { id: "live", label: "Live at end", isBytes: true, help: "Bytes still alive at the end" },
  { id: "allocated", label: "Allocated bytes", isBytes: true, help: "Bytes requested over the whole run" },
  { id: "allocations", label: "Allocations", isBytes: false, help: "Number of allocations" },
  { id: "temporary", label: "Temporary", isBytes: false, help: "Blocks freed before their thread allocated again" },
];

/** Whose code a frame is; the numbers are the payload's. */
export const CLASSES = ["program", "dependency", "without a name", "standard library", "runtime", "allocator"];
/** Classes up to this one are shown when others are folded. */
export const LAST_SHOWN_CLASS = 2;
const STD = 3;
const RUNTIME = 4;
/** Of a stack that has only the library's functions, so many outermost say what it is; as the report for a terminal has it. */
const MAX_LIBRARY = 3;
const KINDS = ["", "malloc", "calloc", "realloc", "aligned"];

/** The columns of the sites that are metrics. */
const COLUMNS = [["peak_bytes", "peak"], ["live_bytes", "live"], ["allocated_bytes", "allocated"], ["allocations", "allocations"], ["temporary", "temporary"]] as const;

function sums(differences: number[]): Float64Array {
  const numbers = new Float64Array(differences.length);
  let number = 0;
  for (let i = 0; i < differences.length; i++) numbers[i] = number += differences[i]!;
  return numbers;
}

/** What a thread is called, and found by: its name, and its number, for many may have one name. */
export function threadName(thread: { name: string; tid: number }): string {
  return thread.name ? `${thread.name} ${thread.tid}` : `${thread.tid}`;
}

/** What a line of the report is called. */
export interface Head {
  /** Function number, -1 if there is no stack. */
  fn: number;
  /** The operation of the standard library by which it allocated, -1 if none. */
  via: number;
  frame: number;
}

/** What changed in a span of time, by line. */
export interface Changes {
  live: Float64Array;
  allocated: Float64Array;
  allocations: Float64Array;
  /** Bytes requested in small changes whose lines are not named. */
  rest: number;
  /** Change of all live bytes, by the samples at the ends of the span. */
  grown: number;
}

export class Profile {
  readonly data: Payload;
  /** By node, from 1 on; 0 is the root. */
  readonly parent: Int32Array;
  readonly address: Int32Array;
  /** Where an address's frames begin in `data.addresses.frame`, and one more. */
  readonly firstFrame: Int32Array;
  readonly siteStack: Float64Array;
  readonly siteLine: Float64Array;
  readonly siteFirst: Float64Array;
  readonly lines: number;
  /** By metric, by site and by line. */
  readonly bySite: Record<MetricId, Float64Array>;
  readonly byLine: Record<MetricId, Float64Array>;
  readonly lineLiveBlocks: Float64Array;
  readonly linePeakBlocks: Float64Array;
  readonly lineFirst: Float64Array;
  /** Mean size of a line's allocations. */
  readonly lineMean: Float64Array;
  readonly ms: Float64Array;
  readonly live: Float64Array;
  /** End of each span in milliseconds. */
  readonly spanEnd: Float64Array;
  readonly changeLine: Float64Array;
  readonly total: Record<MetricId, number>;
  private heads: (Head | undefined)[];
  private lineSites: Int32Array | undefined;
  /** Where a line's sites begin in `lineSites`, and one more. */
  private firstSite = new Int32Array();
  private startFunctions: Uint8Array;
  private lowerNames: string[] | undefined;
  private typeLines: number[][] | undefined;
  private changes: (Changes & { from: number; to: number }) | undefined;

  constructor(data: Payload) {
    this.data = data;
    const { stacks, addresses, sites, timeline, spans, totals } = data;
    const nodes = stacks.up.length;
    this.parent = new Int32Array(nodes + 1);
    this.address = new Int32Array(nodes + 1);
    for (let i = 0; i < nodes; i++) {
      this.parent[i + 1] = i + 1 - stacks.up[i]!;
      this.address[i + 1] = stacks.address[i]!;
    }
    this.firstFrame = new Int32Array(addresses.frames.length + 1);
    for (let i = 0; i < addresses.frames.length; i++) {
      this.firstFrame[i + 1] = this.firstFrame[i]! + addresses.frames[i]!;
    }
    this.siteStack = sums(sites.stack);
    this.siteLine = sums(sites.line);
    this.siteFirst = sums(sites.first_ms);
    const count = sites.line.length;
    let lines = 0;
    for (let i = 0; i < count; i++) lines = Math.max(lines, this.siteLine[i]! + 1);
    this.lines = lines;
    this.bySite = {
      peak: new Float64Array(sites.peak_bytes),
      live: new Float64Array(sites.live_bytes),
      allocated: new Float64Array(sites.allocated_bytes),
      allocations: new Float64Array(sites.allocations),
      temporary: new Float64Array(sites.temporary),
    };
    const byLine = (values: ArrayLike<number>) => {
      const sum = new Float64Array(lines);
      for (let i = 0; i < count; i++) sum[this.siteLine[i]!]! += values[i]!;
      return sum;
    };
    this.byLine = {
      peak: byLine(this.bySite.peak),
      live: byLine(this.bySite.live),
      allocated: byLine(this.bySite.allocated),
      allocations: byLine(this.bySite.allocations),
      temporary: byLine(this.bySite.temporary),
    };
    this.lineLiveBlocks = byLine(sites.live_blocks);
    this.linePeakBlocks = byLine(sites.peak_blocks);
    this.lineFirst = new Float64Array(lines).fill(Infinity);
    for (let i = 0; i < count; i++) {
      const line = this.siteLine[i]!;
      this.lineFirst[line] = Math.min(this.lineFirst[line]!, this.siteFirst[i]!);
    }
    const { allocated, allocations } = this.byLine;
    this.lineMean = allocated.map((bytes, line) => bytes / Math.max(1, allocations[line]!));
    this.ms = sums(timeline.ms);
    this.live = sums(timeline.live_bytes);
    this.spanEnd = Float64Array.from(spans.samples, (samples) => this.ms[samples - 1] ?? 0);
    this.changeLine = sums(spans.line);
    this.total = {
      peak: totals.peak_bytes,
      live: totals.live_bytes,
      allocated: totals.allocated_bytes,
      allocations: totals.allocations,
      temporary: totals.temporary,
    };
    this.heads = new Array(lines);
    // What is held twice need not be, and the collector of garbage looks through long lists of numbers that are not arrays of a type.
    data.stacks = { up: [], address: [] };
    Object.assign(sites, { stack: [], line: [], first_ms: [], ...Object.fromEntries(COLUMNS.map(([name, id]) => [name, this.bySite[id]])) });
    spans.line = [];
    for (const name of ["live_bytes", "allocated_bytes", "allocations"] as const) spans[name] = new Float64Array(spans[name]);
    this.startFunctions = Uint8Array.from(data.functions.name, (name) => (name.startsWith("__libc_start_") ? 1 : 0));
  }

  /** Frames of a stack, innermost first. */
  *frames(stack: number): Generator<number> {
    const { frame } = this.data.addresses;
    for (let node = stack; node > 0; node = this.parent[node]!) {
      const address = this.address[node]!;
      for (let i = this.firstFrame[address]!; i < this.firstFrame[address + 1]!; i++) yield frame[i]!;
    }
  }

  shortName(fn: number): string {
    return this.data.functions.short[fn] || this.data.functions.name[fn] || "";
  }

  fullName(fn: number): string {
    return this.data.functions.name[fn] ?? "";
  }

  /** `file:line`, or empty. */
  place(frame: number): string {
    const { frames, files } = this.data;
    const file = frames.file[frame]!;
    const path = files.short[file] || files.name[file] || "";
    return path && frames.line[frame] ? `${path}:${frames.line[frame]}` : path;
  }

  fullPlace(frame: number): string {
    const { frames, files } = this.data;
    const path = files.name[frames.file[frame]!] ?? "";
    return path && frames.line[frame] ? `${path}:${frames.line[frame]}` : path;
  }

  /** Whether the function is libc's start of a program: what is outside of it is only the program's entry. */
  isStart(fn: number): boolean {
    return this.startFunctions[fn] === 1;
  }

  /** The sites of a line, the one with the most of a metric first. */
  sitesOf(line: number, metric: MetricId): number[] {
    if (!this.lineSites) {
      // One list for all lines: a hundred thousand small ones take a tenth of a second.
      this.firstSite = new Int32Array(this.lines + 1);
      for (const of of this.siteLine) this.firstSite[of + 1]!++;
      for (let i = 0; i < this.lines; i++) this.firstSite[i + 1]! += this.firstSite[i]!;
      const next = this.firstSite.slice();
      this.lineSites = new Int32Array(this.siteLine.length);
      for (let site = 0; site < this.siteLine.length; site++) this.lineSites[next[this.siteLine[site]!]!++] = site;
    }
    const values = this.bySite[metric];
    return Array.from(this.lineSites.subarray(this.firstSite[line], this.firstSite[line + 1])).sort((a, b) => values[b]! - values[a]!);
  }

  kind(site: number): string {
    return KINDS[this.data.sites.kind[site]!] ?? "";
  }

  /** The program's function nearest to the allocation, and the operation that it used. */
  head(line: number): Head {
    const known = this.heads[line];
    if (known) return known;
    const { frames } = this.data;
    const site = this.sitesOf(line, "allocated")[0]!;
    let head: Head = { fn: -1, via: -1, frame: -1 };
    let via = -1;
    // Where none is the program's: the first stretch of the library's frames, else the first of the runtime, else any.
    const library: number[] = [];
    let isOver = false;
    let runtime = -1;
    let any = -1;
    let hasBegun = false;
    for (const frame of this.frames(this.siteStack[site]!)) {
      // Beyond where libc starts a program there is only its entry, which may have no name to know it by.
      const cls = hasBegun ? RUNTIME : frames.class[frame]!;
      hasBegun ||= this.isStart(frames.function[frame]!);
      if (cls <= LAST_SHOWN_CLASS) {
        head = { fn: frames.function[frame]!, via, frame };
        break;
      }
      if (cls === STD) {
        via = frames.function[frame]!;
        if (!isOver && !this.isSame(library.at(-1), frame)) library.push(frame);
      } else if (library.length > 0) isOver = true;
      if (cls === RUNTIME && runtime < 0) runtime = frame;
      if (any < 0) any = frame;
    }
    if (head.fn < 0) {
      // What was asked of a library says more than how it does it: the innermost of its functions are folded.
      const shown = library.length > MAX_LIBRARY + 1 ? library.at(-MAX_LIBRARY) : library[0];
      const frame = shown ?? (runtime >= 0 ? runtime : any);
      if (frame >= 0) head = { fn: frames.function[frame]!, via: -1, frame };
    }
    this.heads[line] = head;
    return head;
  }

  /** Whether two frames are the same function at the same place, as in recursion. */
  private isSame(a: number | undefined, b: number): boolean {
    const { function: fn, file, line } = this.data.frames;
    return a !== undefined && fn[a] === fn[b] && file[a] === file[b] && line[a] === line[b];
  }

  /** The types of a line, that of the site with the most of a metric first; only what is called a type, not a function. */
  typesOf(line: number, metric: MetricId): string[] {
    const names = this.sitesOf(line, metric).map((site) => this.typeOf(site));
    return [...new Set(names)].filter((name) => name !== "");
  }

  /** The type of a site; empty if there is none, or only the function is known. */
  typeOf(site: number): string {
    const it = this.data.types[(this.data.sites.heap_type[site] ?? 0) - 1];
    return it && (it.known_by === "size" || it.known_by === "name") ? it.name : "";
  }

  /** By type, the lines that have such blocks, ascending. */
  linesOfTypes(): number[][] {
    if (!this.typeLines) {
      const counts = new Int32Array(this.data.types.length + 1);
      const ofSites = this.data.sites.heap_type;
      for (const type of ofSites) counts[type]!++;
      const lists = Array.from(counts, (n) => new Int32Array(n));
      counts.fill(0);
      ofSites.forEach((type, site) => (lists[type]![counts[type]!++] = this.siteLine[site]!));
      this.typeLines = lists.slice(1).map((lines) => Array.from(lines.sort()).filter((line, i, all) => line !== all[i - 1]));
    }
    return this.typeLines;
  }

  /** The threads that allocated at a line's sites, as far as that is known, ascending. */
  threadsOf(line: number): Payload["threads"] {
    const sets = new Set(this.sitesOf(line, "allocated").map((site) => this.data.sites.threads[site] ?? 0));
    const threads = new Set([...sets].flatMap((set) => this.data.thread_sets[set - 1] ?? []));
    return [...threads].sort((a, b) => a - b).map((thread) => this.data.threads[thread]!);
  }

  /** By function, whether its name has `text`. */
  matchingFunctions(text: string): Uint8Array {
    const wanted = text.toLowerCase();
    const { name, short } = this.data.functions;
    this.lowerNames ??= name.map((it, i) => `${it}\n${short[i]!}`.toLowerCase());
    const has = new Uint8Array(this.lowerNames.length);
    for (let i = 0; i < has.length; i++) has[i] = this.lowerNames[i]!.includes(wanted) ? 1 : 0;
    return has;
  }

  /** By site, whether its type's name has `text`, or a thread's, or a frame of its stack in its function's name or its file's path. */
  matches(text: string): Uint8Array {
    const wanted = text.toLowerCase();
    const has = (it: string) => (it.toLowerCase().includes(wanted) ? 1 : 0);
    const { files, frames, addresses } = this.data;
    const byFunction = this.matchingFunctions(text);
    const byFile = Uint8Array.from(files.name, has);
    const { firstFrame, parent, address } = this;
    const byFrame = new Uint8Array(frames.function.length);
    for (let frame = 0; frame < byFrame.length; frame++) byFrame[frame] = byFunction[frames.function[frame]!]! | byFile[frames.file[frame]!]!;
    const byAddress = new Uint8Array(addresses.frames.length);
    for (let at = 0; at < byAddress.length; at++) {
      const end = firstFrame[at + 1]!;
      for (let i = firstFrame[at]!; i < end; i++) byAddress[at]! |= byFrame[addresses.frame[i]!]!;
    }
    // Callers come before callees.
    const byNode = new Uint8Array(parent.length);
    for (let node = 1; node < byNode.length; node++) byNode[node] = byNode[parent[node]!]! | byAddress[address[node]!]!;
    const bySite = new Uint8Array(this.siteStack.length);
    const byType = Uint8Array.from([{ name: "" }, ...this.data.types], (type) => has(type.name));
    const { threads, thread_sets, sites } = this.data;
    const byThread = threads.map((thread) => has(threadName(thread)));
    const bySet = Uint8Array.from([[], ...thread_sets], (set) => (set.some((thread) => byThread[thread]) ? 1 : 0));
    const { siteStack } = this;
    const { heap_type: types, threads: sets } = sites;
    for (let site = 0; site < bySite.length; site++) {
      bySite[site] = byNode[siteStack[site]!]! | byType[types[site] ?? 0]! | bySet[sets[site] ?? 0]!;
    }
    return bySite;
  }

  /** What changed by line in the spans that end after `from` and not after `to`. The last answer is kept. */
  between(from: number, to: number): Changes {
    if (this.changes?.from !== from || this.changes.to !== to) this.changes = { from, to, ...this.changesOf(from, to) };
    return this.changes;
  }

  private changesOf(from: number, to: number): Changes {
    const { spans } = this.data;
    const live = new Float64Array(this.lines);
    const allocated = new Float64Array(this.lines);
    const allocations = new Float64Array(this.lines);
    let at = 0;
    let rest = 0;
    let before = 0;
    let after = 0;
    const { live_bytes, allocated_bytes, allocations: counts } = spans;
    spans.changes.forEach((changes, span) => {
      const end = this.live[spans.samples[span]! - 1] ?? 0;
      if (this.spanEnd[span]! <= from) before = end;
      if (this.spanEnd[span]! <= to) after = end;
      if (this.spanEnd[span]! > from && this.spanEnd[span]! <= to) {
        rest += spans.rest_allocated_bytes[span]!;
        for (let i = at; i < at + changes; i++) {
          const line = this.changeLine[i]!;
          live[line]! += live_bytes[i]!;
          allocated[line]! += allocated_bytes[i]!;
          allocations[line]! += counts[i]!;
        }
      }
      at += changes;
    });
    return { live, allocated, allocations, rest, grown: after - before };
  }

  /** The times of the samples that say what changed from `from` to `to`: the last before or at each. */
  edges(from: number, to: number): [number, number] {
    let edges: [number, number] = [0, 0];
    for (const end of this.spanEnd) edges = [end <= from ? end : edges[0], end <= to ? end : edges[1]];
    return edges;
  }

  /** Live bytes at the end of each span, of the lines asked for. */
  histories(lines: number[]): Map<number, Float64Array> {
    const { spans } = this.data;
    const histories = lines.map(() => new Float64Array(spans.changes.length));
    const slots = new Int32Array(this.lines);
    lines.forEach((line, i) => (slots[line] = i + 1));
    let at = 0;
    spans.changes.forEach((changes, span) => {
      for (let i = at; i < at + changes; i++) {
        const slot = slots[this.changeLine[i]!]!;
        if (slot > 0) histories[slot - 1]![span]! += spans.live_bytes[i]!;
      }
      at += changes;
    });
    for (const history of histories) {
      for (let i = 1; i < history.length; i++) history[i]! += history[i - 1]!;
    }
    return new Map(lines.map((line, i) => [line, histories[i]!]));
  }

  /** The lines with the most of a metric. */
  top(metric: MetricId, n: number): number[] {
    const values = this.byLine[metric];
    const lines = new Int32Array(values.length);
    let count = 0;
    for (let line = 0; line < values.length; line++) if (values[line]! > 0) lines[count++] = line;
    return largest(lines.subarray(0, count), values, n);
  }
}

/** Up to so many largest are found without sorting all. */
const FEW = 256;

/** The `n` of `lines`, which ascend, with the largest keys, largest first. One pass if `n` is small, else a fast sort of numbers. */
export function largest(lines: Int32Array, keys: Float64Array, n: number): number[] {
  const limit = n <= FEW ? limitOfFew(lines, keys, n) : limitOf(lines, keys, n);
  const least: number[] = [];
  for (const line of lines) if (keys[line]! >= limit) least.push(line);
  return least.sort((a, b) => keys[b]! - keys[a]! || a - b).slice(0, n);
}

/** The `n`th largest key: the `n` largest so far are kept in order, and few lines are larger than the last of them. */
function limitOfFew(lines: Int32Array, keys: Float64Array, n: number): number {
  const top = new Float64Array(Math.max(1, n)).fill(-Infinity);
  for (const line of lines) {
    const key = keys[line]!;
    if (!(key > top[top.length - 1]!)) continue;
    let at = top.length - 1;
    for (; at > 0 && top[at - 1]! < key; at--) top[at] = top[at - 1]!;
    top[at] = key;
  }
  return top[top.length - 1]!;
}

function limitOf(lines: Int32Array, keys: Float64Array, n: number): number {
  const sorted = new Float64Array(lines.length);
  for (let i = 0; i < sorted.length; i++) sorted[i] = keys[lines[i]!]!;
  sorted.sort();
  return sorted[Math.max(0, sorted.length - n)] ?? 0;
}
