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

  private values(metric: MetricId): { self: Float64Array; total: Float64Array } {
    const self = new Float64Array(this.size);
    const values = this.profile.bySite[metric];
    values.forEach((value, site) => (self[this.ends[this.profile.siteStack[site]!]!]! += value));
    const total = Float64Array.from(self);
    for (let node = total.length - 1; node > 0; node--) total[this.parent[node]!]! += total[node]!;
    return { self, total };
  }

  /** The tree by a metric, callers outside; or inside out, what allocated at the root. It is kept, with what was seen of it. */
  root(metric: MetricId, inverse: boolean): Box {
    const key = `${metric} ${inverse}`;
    let root = this.roots.get(key);
    if (!root) this.roots.set(key, (root = inverse ? this.inverse(metric) : this.forward(metric)));
    return root;
  }

  private forward(metric: MetricId): Box {
    const { self, total } = this.values(metric);
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
    const { self } = this.values(metric);
    const box = (fn: number, cls: number, nodes: number[], values: number[], parent: Box | null): Box => {
      let children: Box[] | undefined;
      let value = 0;
      for (const part of values) value += part;
      const it: Box = {
        fn,
        cls,
        value,
        self: parent === null ? 0 : value,
        parent,
        depth: parent ? parent.depth + 1 : 0,
        children: () => {
          if (!children) {
            const groups = new Map<number, { cls: number; nodes: number[]; values: number[] }>();
            nodes.forEach((node, i) => {
              if (node === 0) return;
              let group = groups.get(this.fn[node]!);
              if (!group) groups.set(this.fn[node]!, (group = { cls: this.cls[node]!, nodes: [], values: [] }));
              group.nodes.push(this.parent[node]!);
              group.values.push(values[i]!);
            });
            children = Array.from(groups, ([fn, group]) => box(fn, group.cls, group.nodes, group.values, it));
            children.sort((a, b) => b.value - a.value);
          }
          return children;
        },
      };
      return it;
    };
    const nodes: number[] = [];
    const values: number[] = [];
    self.forEach((value, node) => {
      if (value > 0) {
        nodes.push(node);
        values.push(value);
      }
    });
    return box(-1, 0, nodes, values, null);
  }
}
