// A flame graph on a canvas: the root on top, callees below (or callers, inside out).
//
// Only boxes of at least a pixel are made, and only those in the window are drawn: the canvas is as high as the window
// and moves with it in front of a space that is as high as the graph. It can be walked with the keyboard, and what is chosen
// is said in words below it.

import { h } from "./dom.ts";
import { bytes, count, elide, share } from "./format.ts";
import { CLASSES, type Metric, type Profile } from "./profile.ts";
import type { Box } from "./tree.ts";

const ROW = 22;
const MIN_WIDTH = 1;
const MAX_ROWS = 600;
/**
 * Hue, saturation and lightness by class. Any two, in any of their shades, differ by 20 or more (CIE 1976) to an eye of each
 * kind of colour-blindness too, and black text on them has a contrast of 4.5 or more.
 */
const COLOURS: [number, number, number][] = [
  [25, 91, 55],
  [213, 85, 58],
  [0, 0, 60],
  [140, 60, 63],
  [305, 75, 84],
  [62, 95, 71],
];

const SHADES = 16;

function shade(fn: number): number {
  return (Math.imul(fn + 1, 2654435761) >>> 16) & (SHADES - 1);
}

function shaded(cls: number, shade: number): string {
  const [hue, saturation, lightness] = COLOURS[cls] ?? COLOURS[0]!;
  return `hsl(${hue} ${saturation}% ${lightness + (shade - 7) * 0.4}%)`;
}

export function colour(cls: number, fn: number): string {
  return shaded(cls, shade(fn));
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
  const space = h("div", { class: "flame-space" }, canvas);
  const frame = h("div", { class: "flame-frame" }, path, space, tip, said);
  let focus = root;
  let chosen: Box | null = null;
  let placed: Placed[] = [];
  let rows = 0;
  /** Where the canvas begins, in pixels below the root. */
  let top = 0;
  let width = 0;
  const hits = options.q === "" ? null : profile.matchingFunctions(options.q);
  const isHit = (fn: number) => hits === null || fn < 0 || hits[fn] === 1;

  const label = (box: Box) => (box.fn < 0 ? "all" : profile.shortName(box.fn));

  function place(): void {
    placed = [];
    rows = 0;
    const ancestors: Box[] = [];
    for (let box: Box | null = focus.parent; box; box = box.parent) ancestors.unshift(box);
    ancestors.forEach((box, row) => placed.push({ box, x: 0, y: row * ROW, width }));
    const base = ancestors.length;
    // A stack of our own: stacks of programs can be deeper than the script's.
    const open: { box: Box; x: number; row: number }[] = [{ box: focus, x: 0, row: base }];
    const scale = focus.value > 0 ? width / focus.value : 0;
    const least = scale > 0 ? MIN_WIDTH / scale : Infinity;
    while (open.length > 0) {
      const { box, x, row } = open.pop()!;
      placed.push({ box, x, y: row * ROW, width: box.value * scale });
      rows = Math.max(rows, row + 1);
      if (row - base >= MAX_ROWS) continue;
      let left = x;
      for (const child of box.children(least)) {
        const wide = child.value * scale;
        // Children come largest first: what follows is smaller still.
        if (wide < MIN_WIDTH) break;
        open.push({ box: child, x: left, row: row + 1 });
        left += wide;
      }
    }
  }

  /** Places all boxes anew and draws. */
  function arrange(): void {
    width = frame.clientWidth || 800;
    place();
    space.style.height = `${Math.max(1, rows) * ROW}px`;
    path.replaceChildren(
      ...(focus === root
        ? []
        : [
            h("button", { type: "button", onclick: () => zoom(root) }, "Show all"),
            h("span", {}, ` zoomed to ${label(focus)}, ${amount(focus.value)}`),
          ]),
    );
    draw();
  }

  /** Draws the rows that are in the window. */
  function draw(): void {
    const ratio = window.devicePixelRatio || 1;
    const whole = Math.max(1, rows) * ROW;
    const height = Math.min(whole, Math.ceil(innerHeight / ROW + 2) * ROW);
    const above = Math.floor(-space.getBoundingClientRect().top / ROW) * ROW;
    top = Math.max(0, Math.min(above, whole - height));
    canvas.style.top = `${top}px`;
    canvas.style.height = `${height}px`;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const context = canvas.getContext("2d")!;
    context.scale(ratio, ratio);
    context.translate(0, -top);
    context.font = "12px system-ui, sans-serif";
    context.textBaseline = "middle";
    // One colour after the other: to change it costs more than to fill a box.
    const seen = placed.filter(({ y }) => y >= top && y < top + height);
    const groups = new Map<number, Placed[]>();
    for (const it of seen) {
      const { fn, cls } = it.box;
      const key = ((fn < 0 ? COLOURS.length : cls) * SHADES + (fn < 0 ? 0 : shade(fn))) * 2 + (isHit(fn) ? 1 : 0);
      const group = groups.get(key);
      if (group) group.push(it);
      else groups.set(key, [it]);
    }
    for (const [key, group] of groups) {
      const cls = Math.floor(key / 2 / SHADES);
      context.globalAlpha = key % 2 === 1 ? 1 : 0.35;
      context.fillStyle = cls === COLOURS.length ? "hsl(220 8% 78%)" : shaded(cls, (key >> 1) % SHADES);
      for (const { x, y, width } of group) context.fillRect(x, y, Math.max(width - (width > 3 ? 0.6 : 0), 0.4), ROW - 1);
    }
    context.globalAlpha = 1;
    context.fillStyle = "#111";
    for (const { box, x, y, width } of seen) {
      if (width > 34) context.fillText(fit(context, label(box), width - 8), x + 4, y + ROW / 2);
    }
    const mark = chosen && seen.find(({ box }) => box === chosen);
    if (mark) {
      context.strokeStyle = getComputedStyle(frame).color;
      context.lineWidth = 2;
      context.strokeRect(mark.x + 1, mark.y + 1, Math.max(mark.width - 2, 1), ROW - 3);
    }
  }

  function describe(box: Box): string {
    const whole = share(box.value, root.value);
    if (box.fn < 0) return `All: ${amount(box.value)}`;
    const self = !inverse && box.self > 0 && box.self < box.value ? `, ${amount(box.self)} of it itself` : "";
    return `${amount(box.value)} (${whole})${self} · ${profile.fullName(box.fn)} · ${CLASSES[box.cls]}`;
  }

  /** Says what is chosen in words. */
  function say(box: Box | null): void {
    chosen = box;
    if (box) {
      said.replaceChildren(h("span", {}, describe(box)), " ");
      if (box.fn >= 0) {
        said.append(h("button", { type: "button", onclick: () => options.onSearch(box.fn) }, "Its sites"));
      }
    } else said.replaceChildren();
  }

  function choose(box: Box): void {
    say(box);
    draw();
  }

  function zoom(box: Box): void {
    focus = box;
    say(box === root ? null : box);
    arrange();
  }

  function at(event: MouseEvent): Box | null {
    const rect = canvas.getBoundingClientRect();
    const x = event.clientX - rect.left;
    const y = event.clientY - rect.top + top;
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
        if (to.depth < focus.depth) zoom(to);
        else choose(to);
      }
    } else if (event.key === "Enter") zoom(box);
    else if (event.key === "Escape") zoom(root);
    else return;
    event.preventDefault();
  });
  new ResizeObserver(() => frame.clientWidth !== width && arrange()).observe(frame);
  const scrolled = () => {
    if (!frame.isConnected) return removeEventListener("scroll", scrolled);
    const bottom = top + canvas.clientHeight;
    const { top: above } = space.getBoundingClientRect();
    const isShort = -above < top || (-above + innerHeight > bottom && bottom < rows * ROW);
    if (isShort) draw();
  };
  addEventListener("scroll", scrolled, { passive: true });
  return frame;
}

/** Widths of whole names; measuring is slow. */
const widths = new Map<string, number>();

function fit(context: CanvasRenderingContext2D, text: string, width: number): string {
  let whole = widths.get(text);
  if (whole === undefined) widths.set(text, (whole = context.measureText(text).width));
  if (whole <= width) return text;
  // As many characters of average width as there is room for, less one for the dots.
  const room = Math.floor((width * text.length) / whole) - 2;
  const short = elide(text, Math.max(8, room));
  return room < 2 ? "" : short.length <= room + 1 ? short : `${text.slice(0, room)}…`;
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
