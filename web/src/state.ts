// What is looked at, in the URL's fragment, so that a view can be shared and the browser's back button works.

import type { MetricId } from "./profile.ts";

export interface State {
  view: string;
  metric: MetricId;
  /** Search text. */
  q: string;
  /** Column by which the table of sites is sorted; empty: the metric. */
  sort: string;
  /** The line whose stack is shown, -1: none. */
  line: number;
  /** Flame graph inside out. */
  inverse: boolean;
  /** Whether frames of the library and the runtime are shown. */
  all: boolean;
  /** Milliseconds; -1: not chosen. */
  from: number;
  to: number;
  theme: "" | "light" | "dark";
}

export const DEFAULTS: Readonly<State> = {
  view: "overview",
  metric: "peak",
  q: "",
  sort: "",
  line: -1,
  inverse: false,
  all: false,
  from: -1,
  to: -1,
  theme: "",
};

export function read(): State {
  const given = new URLSearchParams(location.hash.slice(1));
  const state: Record<string, unknown> = { ...DEFAULTS };
  for (const [key, standard] of Object.entries(DEFAULTS)) {
    const text = given.get(key);
    if (text === null) continue;
    if (typeof standard === "boolean") state[key] = text === "1";
    else if (typeof standard === "number") state[key] = Number.isFinite(Number(text)) ? Number(text) : standard;
    else state[key] = text;
  }
  const result = state as unknown as State;
  if (!["peak", "live", "allocated", "allocations", "temporary"].includes(result.metric)) result.metric = "peak";
  return result;
}

/** Writes what differs from the defaults. A change of view is a step of the browser's history, others are not. */
export function write(state: State, isStep: boolean): void {
  const fragment = new URLSearchParams();
  for (const [key, standard] of Object.entries(DEFAULTS)) {
    const value = state[key as keyof State];
    if (value !== standard) fragment.set(key, typeof value === "boolean" ? "1" : String(value));
  }
  const url = `#${fragment}`;
  if (isStep) history.pushState(null, "", url);
  else history.replaceState(null, "", url);
}
