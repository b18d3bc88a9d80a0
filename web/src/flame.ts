// A flame graph on a canvas: the root on top, callees below (or callers, inside out).
//
// Only boxes of at least a third of a pixel are made and drawn. The canvas can be walked with the keyboard, and what is
// chosen is said in words below it.

import { h } from "./dom.ts";
import { bytes, count, elide, share } from "./format.ts";
import { CLASSES, type Metric, type Profile } from "./profile.ts";
import type { Box } from "./tree.ts";

const ROW = 22;
const MIN_WIDTH = 0.34;
const MAX_ROWS = 600;
/** Hue, saturation and lightness by class; told apart by colour-blind people too. */
const COLOURS: [number, number, number][] = [
  [38, 92, 62],
  [202, 70, 70],
  [0, 0, 72],
  [164, 45, 62],
  [322, 38, 76],
  [56, 75, 66],
];

export function colour(cls: number, fn: number): string {
  const [hue, saturation, lightness] = COLOURS[cls] ?? COLOURS[0]!;
  const shade = ((Math.imul(fn + 1, 2654435761) >>> 16) & 15) - 7;
  return `hsl(${hue} ${saturation}% ${lightness + shade}%)`;
}

interface Placed {
  box: Box;
  x: number;
  y: number;
  width: number;
}

export interface FlameOptions {
  profile: Profile;
  root: Box;
  metric: Metric;
  q: string;
  inverse: boolean;
  onSearch: (fn: number) => void;
}

export function flame(options: FlameOptions): HTMLElement {
  const { profile, root, metric, inverse } = options;
  const amount = (value: number) => (metric.isBytes ? bytes(value) : count(value));
  const canvas = h("canvas", {
    tabindex: 0,
    role: "img",
    class: "flame",
    "aria-label": "Flame graph. Arrow keys choose a box, Enter zooms, Escape goes back.",
  });
  const said = h("div", { class: "said", "aria-live": "polite" });
  const path = h("nav", { class: "path", "aria-label": "Zoomed to" });
  const tip = h("div", { class: "tip", hidden: true });
  const frame = h("div", { class: "flame-frame" }, path, canvas, tip, said);
  let focus = root;
  let chosen: Box | null = null;
  let placed: Placed[] = [];
  const wanted = options.q.toLowerCase();
  const isHit = (fn: number) => wanted !== "" && fn >= 0 && profile.fullName(fn).toLowerCase().includes(wanted);

  const label = (box: Box) => (box.fn < 0 ? "all" : profile.shortName(box.fn));

  function place(width: number): number {
    placed = [];
    let rows = 0;
    const ancestors: Box[] = [];
    for (let box: Box | null = focus.parent; box; box = box.parent) ancestors.unshift(box);
    ancestors.forEach((box, row) => placed.push({ box, x: 0, y: row * ROW, width }));
    const base = ancestors.length;
    // A stack of our own: stacks of programs can be deeper than the script's.
    const open: { box: Box; x: number; row: number }[] = [{ box: focus, x: 0, row: base }];
    const scale = focus.value > 0 ? width / focus.value : 0;
    while (open.length > 0) {
      const { box, x, row } = open.pop()!;
      placed.push({ box, x, y: row * ROW, width: box.value * scale });
      rows = Math.max(rows, row + 1);
      if (row - base >= MAX_ROWS) continue;
      let left = x;
      for (const child of box.children()) {
        const wide = child.value * scale;
        // Children come largest first: what follows is smaller still.
        if (wide < MIN_WIDTH) break;
        open.push({ box: child, x: left, row: row + 1 });
        left += wide;
      }
    }
    return rows;
  }

  function draw(): void {
    const width = frame.clientWidth || 800;
    const rows = place(width);
    const ratio = window.devicePixelRatio || 1;
    const height = Math.max(1, rows) * ROW;
    canvas.style.height = `${height}px`;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(Math.min(height, 16000) * ratio);
    const context = canvas.getContext("2d")!;
    context.scale(ratio, ratio);
    context.font = "12px system-ui, sans-serif";
    context.textBaseline = "middle";
    const strong = getComputedStyle(frame).color;
    for (const { box, x, y, width } of placed) {
      const gap = width > 3 ? 0.6 : 0;
      context.globalAlpha = wanted === "" || isHit(box.fn) || box.fn < 0 ? 1 : 0.35;
      context.fillStyle = box.fn < 0 ? "hsl(220 8% 78%)" : colour(box.cls, box.fn);
      context.fillRect(x, y, Math.max(width - gap, 0.4), ROW - 1);
      context.globalAlpha = 1;
      if (box === chosen) {
        context.strokeStyle = strong;
        context.lineWidth = 2;
        context.strokeRect(x + 1, y + 1, Math.max(width - 2, 1), ROW - 3);
      }
      if (width > 34) {
        context.fillStyle = "#111";
        context.fillText(fit(context, label(box), width - 8), x + 4, y + ROW / 2);
      }
    }
    path.replaceChildren(
      ...(focus === root
        ? []
        : [
            h("button", { type: "button", onclick: () => zoom(root) }, "Show all"),
            h("span", {}, ` zoomed to ${label(focus)}, ${amount(focus.value)}`),
          ]),
    );
  }

  function describe(box: Box): string {
    const whole = share(box.value, root.value);
    if (box.fn < 0) return `All: ${amount(box.value)}`;
    const self = !inverse && box.self > 0 && box.self < box.value ? `, ${amount(box.self)} of it itself` : "";
    return `${amount(box.value)} (${whole})${self} · ${profile.fullName(box.fn)} · ${CLASSES[box.cls]}`;
  }

  function choose(box: Box | null): void {
    chosen = box;
    if (box) {
      said.replaceChildren(h("span", {}, describe(box)), " ");
      if (box.fn >= 0) {
        said.append(h("button", { type: "button", onclick: () => options.onSearch(box.fn) }, "Its sites"));
      }
    } else said.replaceChildren();
    draw();
  }

  function zoom(box: Box): void {
    focus = box;
    choose(box === root ? null : box);
  }

  function at(event: MouseEvent): Box | null {
    const rect = canvas.getBoundingClientRect();
    const x = event.clientX - rect.left;
    const y = event.clientY - rect.top;
    // The last that was placed lies on top where boxes are thinner than a pixel.
    const hit = placed.filter((it) => y >= it.y && y < it.y + ROW && x >= it.x && x < it.x + Math.max(it.width, 1));
    return hit.at(-1)?.box ?? null;
  }

  canvas.addEventListener("mousemove", (event) => {
    const box = at(event);
    tip.hidden = !box;
    if (box) {
      tip.textContent = describe(box);
      const rect = frame.getBoundingClientRect();
      tip.style.left = `${Math.min(event.clientX - rect.left + 12, Math.max(0, rect.width - tip.offsetWidth - 4))}px`;
      tip.style.top = `${event.clientY - rect.top + 18}px`;
    }
  });
  canvas.addEventListener("mouseleave", () => (tip.hidden = true));
  canvas.addEventListener("click", (event) => {
    const box = at(event);
    if (box) zoom(box);
  });
  canvas.addEventListener("keydown", (event) => {
    const box = chosen ?? focus;
    const siblings = box.parent?.children() ?? [];
    const place = siblings.indexOf(box);
    const moves: Record<string, Box | null | undefined> = {
      ArrowDown: box.children()[0],
      ArrowUp: box.parent,
      ArrowLeft: siblings[place - 1],
      ArrowRight: siblings[place + 1],
    };
    if (event.key in moves) {
      const to = moves[event.key];
      if (to) {
        if (to.depth < focus.depth) focus = to;
        choose(to);
      }
    } else if (event.key === "Enter") zoom(box);
    else if (event.key === "Escape") zoom(root);
    else return;
    event.preventDefault();
  });
  new ResizeObserver(draw).observe(frame);
  return frame;
}

function fit(context: CanvasRenderingContext2D, text: string, width: number): string {
  if (context.measureText(text).width <= width) return text;
  text = elide(text, Math.max(8, width / 6.5));
  let low = 0;
  let high = text.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (context.measureText(`${text.slice(0, middle)}…`).width <= width) low = middle;
    else high = middle - 1;
  }
  return low < text.length ? (low > 1 ? `${text.slice(0, low)}…` : "") : text;
}

/** What the colours mean. */
export function legend(classes: number[]): HTMLElement {
  return h(
    "p",
    { class: "legend" },
    ...classes.map((cls) => {
      const swatch = h("span", { class: "swatch" });
      swatch.style.background = colour(cls, 6);
      return h("span", {}, swatch, CLASSES[cls]!);
    }),
  );
}
