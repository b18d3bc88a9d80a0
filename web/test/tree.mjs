// The trees of flame graphs against plain code that looks at each stack on its own, on profiles made at random.
//
// node test/tree.mjs
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const load = async (name) => {
  const entry = fileURLToPath(new URL(`../src/${name}.ts`, import.meta.url));
  const { outputFiles } = await build({ entryPoints: [entry], bundle: true, write: false, format: "esm", target: "es2022" });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].text).toString("base64")}`);
};
const { Tree } = await load("tree");
const { Profile } = await load("profile");

let state = 1;
const random = (below) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
};

/** Of few functions, so that they meet again in one stack and in many. Class 0 is the program's, 3 a library's, 4 the runtime's. */
function made(functions, stacks) {
  const classes = Array.from({ length: functions }, () => [0, 0, 3, 4][random(4)]);
  const frames = { function: [], file: [], line: [], class: [], inlined: [] };
  const addresses = { frames: [], frame: [] };
  for (let address = 0; address < functions; address++) {
    const count = 1 + random(2);
    addresses.frames.push(count);
    for (let i = 0; i < count; i++) {
      const fn = random(functions);
      addresses.frame.push(frames.function.length);
      frames.function.push(fn);
      frames.file.push(0);
      frames.line.push(1 + random(3));
      frames.class.push(classes[fn]);
      frames.inlined.push(0);
    }
  }
  const up = [];
  const address = [];
  for (let node = 1; node <= stacks * 2; node++) {
    up.push(node - random(node));
    address.push(random(functions));
  }
  const column = () => Array.from({ length: stacks }, () => random(3) * random(1000));
  const ends = Array.from({ length: stacks }, () => random(stacks * 2 + 1)).sort((a, b) => a - b);
  const differences = ends.map((it, i) => it - (ends[i - 1] ?? 0));
  const none = [];
  return new Profile({
    totals: {}, functions: { name: classes.map((_, fn) => `f${fn}`), short: classes.map(() => "") }, files: { name: [""], short: [""] },
    frames, addresses, stacks: { up, address },
    sites: {
      stack: differences, line: differences.map((_, i) => (i ? 1 : 0)), first_ms: differences.map(() => 0), heap_type: none, threads: none, kind: none,
      live_blocks: column(), peak_blocks: column(), peak_bytes: column(), live_bytes: column(), allocated_bytes: column(), allocations: column(), temporary: column(),
    },
    timeline: { ms: none, live_bytes: none }, spans: { samples: none, line: none, changes: none },
  });
}

/** Each way from the root to a box, as text, with its value. */
function ways(root) {
  const seen = new Map();
  const open = [[root, ""]];
  while (open.length > 0) {
    const [box, way] = open.pop();
    assert(!seen.has(way), `two boxes are ${way}`);
    assert(box.depth < 1000, "there is no end");
    seen.set(way, box.value);
    let before = Infinity;
    for (const child of box.children()) {
      assert(child.value > 0 && child.value <= before && child.parent === box && child.depth === box.depth + 1);
      before = child.value;
      open.push([child, `${way} ${child.fn}`]);
    }
  }
  return seen;
}

let boxes = 0;
for (let round = 0; round < 60; round++) {
  const profile = made(2 + random(20), 1 + random(200));
  const tree = new Tree(profile, false);
  const folded = new Tree(profile, true);
  for (const metric of ["peak", "temporary"]) {
    for (const inverse of [false, true]) {
      const wanted = new Map([["", 0]]);
      profile.siteStack.forEach((stack, site) => {
        const value = profile.bySite[metric][site];
        const fns = Array.from(profile.frames(stack), (frame) => profile.data.frames.function[frame]);
        if (!inverse) fns.reverse();
        let way = "";
        for (const fn of ["", ...fns]) {
          way += fn === "" ? "" : ` ${fn}`;
          if (value > 0 || way === "") wanted.set(way, (wanted.get(way) ?? 0) + value);
        }
      });
      const found = ways(tree.root(metric, inverse));
      assert.deepEqual([...found].sort(), [...wanted].sort());
      boxes += found.size;
    }
    // Folded, what is shown is less, but inside out it is the same stacks: each way of one is a way of the other, turned round.
    const turned = new Map();
    for (const [way, value] of selves(folded.root(metric, false))) turned.set(way.split(" ").reverse().join(" "), value);
    for (const [way, value] of turned) {
      let at = folded.root(metric, true);
      for (const fn of way.split(" ").filter(Boolean)) at = at.children().find((it) => it.fn === Number(fn));
      assert(at.value >= value, `${way} is lost`);
    }
    assert.equal(folded.root(metric, true).value, folded.root(metric, false).value);
  }
}

/** What ends at each box, by the way to it. */
function selves(root) {
  const seen = new Map();
  const open = [[root, ""]];
  while (open.length > 0) {
    const [box, way] = open.pop();
    if (box.self > 0) seen.set(way, box.self);
    for (const child of box.children()) open.push([child, `${way} ${child.fn}`]);
  }
  return seen;
}
console.log(`${boxes} boxes are as they should be`);
