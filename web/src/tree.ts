// Trees of functions for flame graphs: callers outside, or turned inside out.
//
// The tree of all stacks is made once for each way of folding; a metric only changes its values. Nodes that are drawn are
// made when they are drawn, so that a tree of a million nodes costs what is seen of it.

import { LAST_SHOWN_CLASS, type MetricId, type Profile } from "./profile.ts";

/** A box of a flame graph. */
export interface Box {
  fn: number;
  cls: number;
  value: number;
  self: number;
  parent: Box | null;
  depth: number;
  /** Largest first. */
  children(): Box[];
}

const STD = 3;
const ALLOCATOR = 5;

/** All stacks by function, outermost first. Node 0 is the root; parents come before children. */
export class Tree {
  readonly parent: Int32Array;
  readonly fn: Int32Array;
  readonly cls: Uint8Array;
  private size = 1;
  /** The node at which each stack of the profile ends. */
  private ends: Int32Array;
  private firstChild: Int32Array;
  private childList: Int32Array;

  private readonly roots = new Map<string, Box>();
  private readonly selves = new Map<MetricId, Float64Array>();

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
    for (let node = 1; node < nodes; node++) {
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
    }
    if (folded) {
      for (const stack of new Set(profile.siteStack)) {
        const at = shown[stack]!;
        const operation = via[stack]!;
        this.ends[stack] = at === 0 ? all[stack]! : operation >= 0 ? child(at, operation, STD) : at;
      }
    }
    const size = this.size;
    this.firstChild = new Int32Array(size + 2);
    for (let node = 1; node < size; node++) this.firstChild[this.parent[node]! + 2]!++;
    for (let i = 2; i < size + 2; i++) this.firstChild[i]! += this.firstChild[i - 1]!;
    this.childList = new Int32Array(size);
    for (let node = 1; node < size; node++) {
      this.childList[this.firstChild[this.parent[node]! + 1]!++] = node;
    }
  }

  /** By node, what ends there. */
  private selfOf(metric: MetricId): Float64Array {
    let self = this.selves.get(metric);
    if (!self) {
      self = new Float64Array(this.size);
      const values = this.profile.bySite[metric];
      const { siteStack } = this.profile;
      for (let site = 0; site < values.length; site++) self[this.ends[siteStack[site]!]!]! += values[site]!;
      this.selves.set(metric, self);
    }
    return self;
  }

  /** The tree by a metric, callers outside; or inside out, what allocated at the root. It is kept, with what was seen of it. */
  root(metric: MetricId, inverse: boolean): Box {
    const key = `${metric} ${inverse}`;
    let root = this.roots.get(key);
    if (!root) this.roots.set(key, (root = inverse ? this.inverse(metric) : this.forward(metric)));
    return root;
  }

  private forward(metric: MetricId): Box {
    const self = this.selfOf(metric);
    const total = self.slice();
    for (let node = total.length - 1; node > 0; node--) total[this.parent[node]!]! += total[node]!;
    const box = (node: number, parent: Box | null): Box => {
      let children: Box[] | undefined;
      const it: Box = {
        fn: this.fn[node]!,
        cls: this.cls[node]!,
        value: total[node]!,
        self: self[node]!,
        parent,
        depth: parent ? parent.depth + 1 : 0,
        children: () => {
          if (!children) {
            const list = this.childList.subarray(this.firstChild[node]!, this.firstChild[node + 1]!);
            children = Array.from(list.filter((child) => total[child]! > 0), (child) => box(child, it));
            children.sort((a, b) => b.value - a.value);
          }
          return children;
        },
      };
      return it;
    };
    return box(0, null);
  }

  private inverse(metric: MetricId): Box {
    const self = this.selfOf(metric);
    // How many nodes of each function there are, and then where its next goes; all 0 between two groupings.
    const places = new Int32Array(this.profile.data.functions.name.length);
    // A box is a part of a list of nodes, each with its part of the value: views of typed arrays would cost more than all else.
    const box = (fn: number, cls: number, nodes: Int32Array, values: Float64Array, from: number, to: number, parent: Box | null): Box => {
      let children: Box[] | undefined;
      let value = 0;
      for (let i = from; i < to; i++) value += values[i]!;
      const it: Box = {
        fn,
        cls,
        value,
        self: parent === null ? 0 : value,
        parent,
        depth: parent ? parent.depth + 1 : 0,
        children: () => {
          if (!children) {
            // Sorted by function, by counting, so that each child's are a part of one list.
            const fns: number[] = [];
            let count = 0;
            for (let i = from; i < to; i++) {
              const node = nodes[i]!;
              if (node === 0) continue;
              if (places[this.fn[node]!]!++ === 0) fns.push(node);
              count++;
            }
            const parents = new Int32Array(count);
            const parts = new Float64Array(count);
            let next = 0;
            const firsts = fns.map((node) => {
              const first = next;
              next += places[this.fn[node]!]!;
              places[this.fn[node]!] = first;
              return first;
            });
            for (let i = from; i < to; i++) {
              const node = nodes[i]!;
              if (node === 0) continue;
              const place = places[this.fn[node]!]!++;
              parents[place] = this.parent[node]!;
              parts[place] = values[i]!;
            }
            children = fns.map((node, i) => {
              places[this.fn[node]!] = 0;
              return box(this.fn[node]!, this.cls[node]!, parents, parts, firsts[i]!, firsts[i + 1] ?? count, it);
            });
            children.sort((a, b) => b.value - a.value);
          }
          return children;
        },
      };
      return it;
    };
    let count = 0;
    for (let node = 0; node < self.length; node++) if (self[node]! > 0) count++;
    const nodes = new Int32Array(count);
    const values = new Float64Array(count);
    for (let node = 0, at = 0; node < self.length; node++) {
      if (self[node]! > 0) {
        nodes[at] = node;
        values[at++] = self[node]!;
      }
    }
    return box(-1, 0, nodes, values, 0, count, null);
  }
}
