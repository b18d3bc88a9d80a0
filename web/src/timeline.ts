// Live bytes over time, with the peak marked and a span to choose, by pointer or by keyboard.

import { h, s } from "./dom.ts";
import { duration, plainBytes } from "./format.ts";
import type { Profile } from "./profile.ts";

/** How wide the last one was drawn; 0: none was. */
let lastWidth = 0;

export interface TimelineOptions {
  profile: Profile;
  height: number;
  /** The chosen span in milliseconds; null: none. */
  span: [number, number] | null;
  /** Called as a span is being chosen; `done` when it has been. */
  onBrush?: (span: [number, number] | null, done: boolean) => void;
}

/** Round steps for an axis, so that there are at most `most`. */
function steps(max: number, most: number, bases: number[]): number[] {
  let step = bases.find((base) => max / base <= most) ?? bases.at(-1)!;
  while (max / step > most) step *= 2;
  const at: number[] = [];
  for (let value = step; value <= max; value += step) at.push(value);
  return at;
}

const KIB_STEPS = Array.from({ length: 50 }, (_, i) => 2 ** i);
const MS_STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 3e4, 6e4, 3e5, 6e5, 1.8e6, 3.6e6, 1.08e7, 8.64e7];

export function timeline(options: TimelineOptions): HTMLElement {
  const { profile, height } = options;
  const { totals, run } = profile.data;
  const frame = h("div", { class: "timeline" });
  if (profile.ms.length === 0) {
    frame.append(h("p", { class: "empty" }, "No samples over time were taken."));
    return frame;
  }
  const end = Math.max(run.duration_ms, profile.ms.at(-1)!, 1);
  let max = totals.peak_bytes;
  for (const live of profile.live) max = Math.max(max, live);
  max = Math.max(max, 1);
  // The peak is known better than any sample: it is a point of the curve, unless a sample was taken at its time.
  const points = Array.from(profile.ms, (ms, i): [number, number] => [ms, profile.live[i]!]);
  const after = points.findIndex(([ms]) => ms >= totals.peak_ms);
  if (!totals.peak_is_end && after >= 0 && points[after]![0] > totals.peak_ms) {
    points.splice(after, 0, [totals.peak_ms, totals.peak_bytes]);
  }
  let span = options.span;
  let width = 0;

  function draw(wide: number): void {
    width = lastWidth = Math.max(200, wide);
    const [left, right, top, bottom] = [64, 8, 18, 22];
    const x = (ms: number) => left + (ms / end) * (width - left - right);
    const y = (bytes: number) => top + (1 - bytes / max) * (height - top - bottom);
    const svg = s("svg", { width, height, role: "img", viewBox: `0 0 ${width} ${height}` });
    svg.append(s("title", {}, `Live bytes over ${duration(end)}, at most ${plainBytes(totals.peak_bytes)}`));
    for (const value of steps(max, 4, KIB_STEPS)) {
      svg.append(
        s("line", { class: "grid", x1: left, x2: width - right, y1: y(value), y2: y(value) }),
        s("text", { class: "tick", x: left - 6, y: y(value) + 4, "text-anchor": "end" }, plainBytes(value)),
      );
    }
    for (const value of [0, ...steps(end, Math.max(2, width / 110), MS_STEPS)]) {
      svg.append(s("text", { class: "tick", x: x(value), y: height - 6, "text-anchor": x(value) > width - 30 ? "end" : "middle" }, duration(value)));
    }
    let line = `M${x(0)},${y(0)}`;
    for (const [ms, live] of points) line += `L${x(ms).toFixed(1)},${y(live).toFixed(1)}`;
    const last = profile.ms.at(-1)!;
    svg.append(
      s("path", { class: "area", d: `${line}L${x(last).toFixed(1)},${y(0)}Z` }),
      s("path", { class: "curve", d: line }),
      s("line", { class: "axis", x1: left, x2: width - right, y1: y(0), y2: y(0) }),
    );
    const peak = x(Math.min(totals.peak_ms, end));
    const isRight = peak > width * 0.6;
    // Times are known to ten milliseconds.
    const when = totals.peak_is_end ? "" : totals.peak_ms < 10 ? " within 10 ms" : ` after ${duration(totals.peak_ms)}`;
    svg.append(
      s("line", { class: "peak", x1: peak, x2: peak, y1: top - 4, y2: y(0) }),
      s("circle", { class: "peak-dot", cx: peak, cy: y(totals.peak_bytes), r: 4 }),
      s(
        "text",
        { class: "peak-text", x: peak + (isRight ? -6 : 6), y: top - 6, "text-anchor": isRight ? "end" : "start" },
        `peak ${plainBytes(totals.peak_bytes)}${when}`,
      ),
    );
    const box = s("rect", { class: "span", y: top, height: y(0) - top });
    const mark = () => {
      const from = x(Math.max(0, span?.[0] ?? 0));
      box.setAttribute("x", `${from}`);
      box.setAttribute("width", `${span ? Math.max(1, x(span[1]) - from) : 0}`);
    };
    mark();
    svg.append(box);
    if (options.onBrush) brush(svg, (px) => Math.min(end, Math.max(0, ((px - left) / (width - left - right)) * end)), mark);
    frame.replaceChildren(svg);
  }

  /** Lets a span be dragged; `mark` shows it. */
  function brush(svg: SVGElement, ms: (px: number) => number, mark: () => void): void {
    const at = (event: PointerEvent) => ms(event.clientX - frame.getBoundingClientRect().left);
    svg.classList.add("brush");
    svg.addEventListener("pointerdown", (event) => {
      const start = at(event);
      event.preventDefault();
      const move = (event: PointerEvent) => {
        const now = at(event);
        span = [Math.min(start, now), Math.max(start, now)];
        mark();
      };
      const up = (event: PointerEvent) => {
        removeEventListener("pointermove", move);
        removeEventListener("pointerup", up);
        removeEventListener("pointercancel", up);
        // A click without a way takes the choice back.
        span = Math.abs(at(event) - start) < end / 400 ? null : span;
        mark();
        options.onBrush!(span, true);
      };
      addEventListener("pointermove", move);
      addEventListener("pointerup", up);
      addEventListener("pointercancel", up);
    });
  }

  // At the width of the last one, which is seldom another: to wait for the layout would cost a second one.
  if (lastWidth > 0) draw(lastWidth);
  new ResizeObserver(() => frame.clientWidth !== width && draw(frame.clientWidth)).observe(frame);
  return frame;
}

/** A line of numbers as a small curve. */
export function sparkline(values: Float64Array, label: string): SVGElement {
  const [width, height] = [110, 24];
  let max = 1;
  for (const value of values) max = Math.max(max, value);
  let points = "";
  const step = Math.max(1, Math.floor(values.length / 110));
  for (let i = 0; i < values.length; i += step) {
    const x = (i / Math.max(1, values.length - 1)) * (width - 2) + 1;
    points += `${x.toFixed(1)},${(height - 2 - (Math.max(0, values[i]!) / max) * (height - 4)).toFixed(1)} `;
  }
  return s("svg", { width, height, class: "spark", role: "img" }, s("title", {}, label), s("polyline", { points }));
}
