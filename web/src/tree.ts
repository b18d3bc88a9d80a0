// Trees of functions for flame graphs: callers outside, or turned inside out.
//
// The tree of all stacks is made once for each way of folding, and so is the order of its stacks from inside out: in it, what
// stands under one box is one stretch. A metric only changes the values, and only boxes that are asked for are made, so that
// a tree of a million nodes costs what is seen of it.

import { LAST_SHOWN_CLASS, type MetricId, type Profile } from "./profile.ts";

/** A box of a flame graph. */
export interface Box {
  readonly fn: number;
  readonly cls: number;
  readonly value: number;
  readonly self: number;
  readonly parent: Box | null;
  readonly depth: number;
  /** Those of at least so much, largest first, and perhaps smaller ones behind them; boxes that nobody sees need not be made. */
  children(least?: number): readonly Box[];
}

/** Adds boxes, all of them smaller than those that are there. */
function add(made: Box[], more: Box[]): void {
  more.sort((a, b) => b.value - a.value);
  for (const box of more) made.push(box);
}

/** So many nodes are looked at between two looks at the clock. */
const BETWEEN_CLOCKS = 4096;

const STD = 3;
const ALLOCATOR = 5;

/** All stacks by function, outermost first. Node 0 is the root; parents come before children. It is made a little at a time. */
export class Tree {
  readonly parent: Int32Array;
  readonly fn: Int32Array;
  readonly cls: Uint8Array;
  size = 1;
  /** The node at which each stack of the profile ends. */
  private ends: Int32Array;
  /** Where a node's children begin in `childList`, and one more. */
  firstChild = new Int32Array();
  childList = new Int32Array();
  /** What is still to be done, in order; one that says false has more to do. */
  private readonly steps: (() => unknown)[];
  private insideOut: InsideOut | undefined;

  private readonly roots = new Map<string, Box>();

  constructor(
    private profile: Profile,
    folded: boolean,
  ) {
    // No more nodes than frames in the stacks, and one operation for each stack.
    let most = 2;
    for (let node = 1; node < profile.parent.length; node++) {
      most += profile.data.addresses.frames[profile.address[node]!]! + (folded ? 1 : 0);
    }
    this.parent = new Int32Array(most);
    this.fn = new Int32Array(most).fill(-1, 0, 1);
    this.cls = new Uint8Array(most);
    // An open table from (parent, function) to node; 0 is an empty place. A Map of numbers as large takes ten times as long.
    const bits = Math.ceil(Math.log2(most * 2));
    const table = new Int32Array(2 ** bits);
    const mask = table.length - 1;
    const child = (parent: number, fn: number, cls: number): number => {
      let place = (Math.imul(parent, 0x9e3779b1) ^ Math.imul(fn, 0x85ebca6b)) >>> (32 - bits);
      for (;;) {
        const node = table[place]!;
        if (node === 0) break;
        if (this.parent[node] === parent && this.fn[node] === fn) return node;
        place = (place + 1) & mask;
      }
      const node = this.size++;
      table[place] = node;
      this.parent[node] = parent;
      this.fn[node] = fn;
      this.cls[node] = cls;
      return node;
    };
    const { frames, addresses } = profile.data;
    const nodes = profile.parent.length;
    this.ends = new Int32Array(nodes);
    // Of each stack: the chain of shown frames, the library's operation that the last of them called, and the chain of
    // all frames for as long as none is shown.
    const shown = folded ? new Int32Array(nodes) : this.ends;
    const via = new Int32Array(folded ? nodes : 0).fill(-1);
    const all = new Int32Array(folded ? nodes : 0);
    const enter = (node: number) => {
      const outer = profile.parent[node]!;
      const address = profile.address[node]!;
      let at = shown[outer]!;
      let operation = folded ? via[outer]! : -1;
      let chain = folded ? all[outer]! : 0;
      for (let i = profile.firstFrame[address + 1]! - 1; i >= profile.firstFrame[address]!; i--) {
        const frame = addresses.frame[i]!;
        const fn = frames.function[frame]!;
        const cls = frames.class[frame]!;
        if (!folded) at = child(at, fn, cls);
        else if (cls <= LAST_SHOWN_CLASS) {
          at = child(at, fn, cls);
          operation = -1;
        } else {
          if (profile.isStart(fn)) at = 0;
          if (cls === STD && operation < 0) operation = fn;
          if (at === 0 && cls !== ALLOCATOR) chain = child(chain, fn, cls);
        }
      }
      shown[node] = at;
      if (folded) {
        via[node] = operation;
        all[node] = chain;
      }
    };
    let next = 1;
    const enterSome = () => {
      for (const end = Math.min(nodes, next + BETWEEN_CLOCKS); next < end; next++) enter(next);
      return next === nodes;
    };
    const end = () => {
      for (const stack of new Set(profile.siteStack)) {
        const at = shown[stack]!;
        const operation = via[stack]!;
        this.ends[stack] = at === 0 ? all[stack]! : operation >= 0 ? child(at, operation, STD) : at;
      }
    };
    this.steps = [enterSome, ...(folded ? [end] : []), () => this.list()];
  }

  /** Makes it for some milliseconds. Whether it is done; who needs it sooner finishes it. */
  grow(ms: number): boolean {
    const until = performance.now() + ms;
    while (this.steps.length > 0 && performance.now() < until) if (this.steps[0]!() !== false) this.steps.shift();
    return this.steps.length === 0;
  }

  /** Lists the children of each node. */
  private list(): void {
    const size = this.size;
    this.firstChild = new Int32Array(size + 2);
    for (let node = 1; node < size; node++) this.firstChild[this.parent[node]! + 2]!++;
    for (let i = 2; i < size + 2; i++) this.firstChild[i]! += this.firstChild[i - 1]!;
    this.childList = new Int32Array(size);
    for (let node = 1; node < size; node++) {
      this.childList[this.firstChild[this.parent[node]! + 1]!++] = node;
    }
  }

  /** The tree by a metric, callers outside; or inside out, what allocated at the root. It is kept, with what was seen of it. */
  root(metric: MetricId, inverse: boolean): Box {
    const key = `${metric} ${inverse}`;
    this.grow(Infinity);
    let root = this.roots.get(key);
    if (!root) this.roots.set(key, (root = inverse ? this.inverse(metric) : this.forward(metric)));
    return root;
  }

  private forward(metric: MetricId): Box {
    const total = new Float64Array(this.size);
    const values = this.profile.bySite[metric];
    const { siteStack } = this.profile;
    for (let site = 0; site < values.length; site++) total[this.ends[siteStack[site]!]!]! += values[site]!;
    for (let node = total.length - 1; node > 0; node--) total[this.parent[node]!]! += total[node]!;
    return new Forward({ tree: this, total }, 0, null);
  }

  private inverse(metric: MetricId): Box {
    const { nodes, common, depth, place } = this.finished();
    const sums = new Float64Array(nodes.length + 1);
    const values = this.profile.bySite[metric];
    const { siteStack } = this.profile;
    for (let site = 0; site < values.length; site++) sums[place[this.ends[siteStack[site]!]!]! + 1]! += values[site]!;
    for (let i = 0; i < nodes.length; i++) sums[i + 1]! += sums[i]!;
    return new Inverse({ tree: this, nodes, common, depth, sums }, -1, 0, 0, nodes.length, null);
  }

  /** How many functions there are. */
  get functions(): number {
    return this.profile.data.functions.name.length;
  }

  /** Orders the stacks from inside out for some milliseconds. Whether it is done; who needs it sooner finishes it. */
  prepare(ms: number): boolean {
    if (!this.grow(ms)) return false;
    this.insideOut ??= new InsideOut(this, Int32Array.from(this.profile.siteStack, (stack) => this.ends[stack]!));
    return this.insideOut.work(performance.now() + ms);
  }

  private finished(): InsideOut {
    this.prepare(Infinity);
    return this.insideOut!;
  }
}

/** What all boxes of a tree by one metric share. */
interface ForwardTree {
  tree: Tree;
  total: Float64Array;
}

class Forward implements Box {
  readonly fn: number;
  readonly cls: number;
  readonly value: number;
  readonly depth: number;
  private readonly made: Box[] = [];
  /** All children of at least so much are made. */
  private least = Infinity;

  constructor(
    private readonly of: ForwardTree,
    private readonly node: number,
    readonly parent: Box | null,
  ) {
    this.fn = of.tree.fn[node]!;
    this.cls = of.tree.cls[node]!;
    this.value = of.total[node]!;
    this.depth = parent ? parent.depth + 1 : 0;
  }

  get self(): number {
    const { tree, total } = this.of;
    let self = this.value;
    for (let i = tree.firstChild[this.node]!; i < tree.firstChild[this.node + 1]!; i++) self -= total[tree.childList[i]!]!;
    return self;
  }

  children(least = 0): readonly Box[] {
    if (least >= this.least) return this.made;
    const { tree, total } = this.of;
    const more: Box[] = [];
    const end = tree.firstChild[this.node + 1]!;
    for (let i = tree.firstChild[this.node]!; i < end; i++) {
      const child = tree.childList[i]!;
      const value = total[child]!;
      if (value > 0 && value >= least && value < this.least) more.push(new Forward(this.of, child, this));
    }
    add(this.made, more);
    this.least = least;
    return this.made;
  }
}

interface InverseTree {
  tree: Tree;
  nodes: Int32Array;
  common: Int32Array;
  depth: Int32Array;
  /** Before each place, the values of all stacks before it. */
  sums: Float64Array;
}

/** Stacks from `from` to `to`, which agree in their `depth` innermost functions. */
class Inverse implements Box {
  readonly value: number;
  readonly self: number;
  readonly depth: number;
  private readonly made: Box[] = [];
  /** All children of at least so much are made. */
  private least = Infinity;

  constructor(
    private readonly of: InverseTree,
    readonly fn: number,
    readonly cls: number,
    private readonly from: number,
    private readonly to: number,
    readonly parent: Box | null,
  ) {
    this.value = of.sums[to]! - of.sums[from]!;
    this.self = parent ? this.value : 0;
    this.depth = parent ? parent.depth + 1 : 0;
  }

  children(least = 0): readonly Box[] {
    if (least >= this.least) return this.made;
    const more: Box[] = [];
    const { tree, nodes, common, depth, sums } = this.of;
    // The one that has no further caller stands first.
    const isEnd = this.from < this.to && depth[nodes[this.from]!] === this.depth;
    let begun = isEnd ? this.from + 1 : this.from;
    for (let at = begun + 1; at <= this.to; at++) {
      if (at < this.to && common[at]! > this.depth) continue;
      const value = sums[at]! - sums[begun]!;
      if (value > 0 && value >= least && value < this.least) {
        let node = nodes[begun]!;
        for (let i = 0; i < this.depth; i++) node = tree.parent[node]!;
        more.push(new Inverse(this.of, tree.fn[node]!, tree.cls[node]!, begun, at, this));
      }
      begun = at;
    }
    add(this.made, more);
    this.least = least;
    return this.made;
  }
}

/**
 * The nodes at which stacks end, in an order in which those that agree in their innermost functions stand together, however
 * many of these are looked at; of several, the one that has no more functions stands first.
 *
 * Groups are split by the next function, by counting, until each is of one node. It can be done a little at a time.
 */
class InsideOut {
  readonly nodes: Int32Array;
  /** In how many innermost functions each agrees with the one before it. */
  readonly common: Int32Array;
  /** By node, how many functions it is below the root. */
  readonly depth: Int32Array;
  /** By node at which a stack ends, where it stands in `nodes`. */
  place = new Int32Array();
  private readonly steps: Iterator<void>;
  private isDone = false;

  constructor(
    private readonly tree: Tree,
    ends: Int32Array,
  ) {
    this.depth = new Int32Array(tree.size);
    for (let node = 1; node < tree.size; node++) this.depth[node] = this.depth[tree.parent[node]!]! + 1;
    const isEnd = new Uint8Array(tree.size);
    for (const node of ends) isEnd[node] = 1;
    let count = 0;
    for (const is of isEnd) count += is;
    this.nodes = new Int32Array(count);
    this.common = new Int32Array(count);
    for (let node = 0, at = 0; node < tree.size; node++) if (isEnd[node]) this.nodes[at++] = node;
    this.steps = this.split();
  }

  work(until: number): boolean {
    while (!this.isDone && performance.now() < until) this.isDone = this.steps.next().done === true;
    return this.isDone;
  }

  private *split(): Generator<void> {
    const { tree, nodes, common } = this;
    const { functions } = tree;
    // Of each place, the node whose function is compared next: so many steps above that of `nodes`.
    const outer = nodes.slice();
    const newNodes = new Int32Array(nodes.length);
    const newOuter = new Int32Array(nodes.length);
    // How many of a group have each function, and then where the next goes; all 0 between two groups. The last is for none.
    const places = new Int32Array(functions + 1);
    const groups = nodes.length > 1 ? [0, nodes.length, 0] : [];
    let since = 0;
    while (groups.length > 0) {
      const depth = groups.pop()!;
      const to = groups.pop()!;
      const from = groups.pop()!;
      const fns: number[] = [];
      for (let i = from; i < to; i++) {
        const node = outer[i]!;
        const fn = node === 0 ? functions : tree.fn[node]!;
        if (places[fn]!++ === 0 && node !== 0) fns.push(fn);
      }
      let next = from + places[functions]!;
      places[functions] = from;
      for (const fn of fns) {
        const count = places[fn]!;
        places[fn] = next;
        if (next > from) common[next] = depth;
        if (count > 1) groups.push(next, next + count, depth + 1);
        next += count;
      }
      for (let i = from; i < to; i++) {
        const node = outer[i]!;
        const place = places[node === 0 ? functions : tree.fn[node]!]!++;
        newNodes[place] = nodes[i]!;
        newOuter[place] = tree.parent[node]!;
      }
      nodes.set(newNodes.subarray(from, to), from);
      outer.set(newOuter.subarray(from, to), from);
      for (const fn of fns) places[fn] = 0;
      places[functions] = 0;
      since += to - from;
      if (since > BETWEEN_CLOCKS) {
        since = 0;
        yield;
      }
    }
    this.place = new Int32Array(tree.size);
    for (let i = 0; i < nodes.length; i++) this.place[nodes[i]!] = i;
  }
}
