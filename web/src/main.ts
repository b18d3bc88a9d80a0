// Unpacks the profile and shows the view that the address asks for.

import { h } from "./dom.ts";
import { setEstimates } from "./format.ts";
import { METRICS, Profile, type MetricId, type Payload } from "./profile.ts";
import { read, write, type State } from "./state.ts";
import { VIEWS, prepare, type Page } from "./views.ts";

async function unpack(): Promise<Payload> {
  const element = document.getElementById("data")!;
  const packed = atob(element.textContent!.trim());
  element.remove();
  const bytes = new Uint8Array(packed.length);
  for (let i = 0; i < packed.length; i++) bytes[i] = packed.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return (await new Response(stream).json()) as Payload;
}

function start(profile: Profile): void {
  const main = document.getElementById("page")!;
  const views = VIEWS.filter((view) => view.is(profile));
  let state = read();
  let typing = 0;
  /** When the last search was done, and how long it took. */
  let searched = 0;
  let cost = 0;

  const search = h("input", {
    type: "search",
    placeholder: "Function, type, file, thread  ( / )",
    "aria-label": "Search by function, type, file or thread",
    spellcheck: "false",
    oninput: () => {
      clearTimeout(typing);
      // At once; but of what is typed faster than can be searched, only the last.
      const wait = searched + 2 * cost - performance.now();
      if (wait <= 0) find();
      else typing = window.setTimeout(find, wait);
    },
  });
  function find(): void {
    const begun = performance.now();
    // Elsewhere a search means: which sites?
    const isHere = views.find((view) => view.id === state.view)?.isSearched;
    go(isHere ? { q: search.value } : { q: search.value, view: "sites" });
    requestAnimationFrame(() => setTimeout(() => (cost = (searched = performance.now()) - begun)));
    searched = performance.now();
  }
  const metrics = h(
    "select",
    { "aria-label": "What is counted", onchange: () => go({ metric: metrics.value as MetricId, sort: "" }) },
    ...METRICS.map((metric) => h("option", { value: metric.id, title: metric.help }, metric.label)),
  );
  const theme = h(
    "button",
    {
      type: "button",
      title: "Light or dark",
      "aria-label": "Light or dark",
      onclick: () => go({ theme: isDark() ? "light" : "dark" }),
    },
    "◐",
  );
  const tabs = h(
    "nav",
    { class: "tabs", "aria-label": "Views" },
    ...views.map((view, i) =>
      h("button", { type: "button", "data-view": view.id, title: `Key ${i + 1}`, onclick: () => go({ view: view.id, sort: "", line: -1 }) }, view.label),
    ),
  );
  const content = h("div", { class: "content" });
  main.replaceChildren(h("div", { class: "bar-top" }, tabs, h("div", { class: "controls" }, metrics, search, theme)), content);

  function isDark(): boolean {
    return state.theme === "" ? matchMedia("(prefers-color-scheme: dark)").matches : state.theme === "dark";
  }

  function show(): void {
    const view = views.find((view) => view.id === state.view) ?? views[0]!;
    document.documentElement.dataset["theme"] = state.theme;
    for (const tab of tabs.children) {
      const isCurrent = (tab as HTMLElement).dataset["view"] === view.id;
      if (isCurrent) tab.setAttribute("aria-current", "page");
      else tab.removeAttribute("aria-current");
    }
    metrics.value = state.metric;
    metrics.hidden = !view.hasMetric;
    if (document.activeElement !== search) search.value = state.q;
    const page: Page = { profile, state, go, note: (change) => write(Object.assign(state, change), false) };
    content.replaceChildren(view.draw(page));
    main.removeAttribute("aria-busy");
    main.dataset["view"] = view.id;
  }

  function go(change: Partial<State>): void {
    const isStep = change.view !== undefined && change.view !== state.view;
    state = { ...state, ...change };
    write(state, isStep);
    show();
    if (isStep) window.scrollTo(0, 0);
  }

  addEventListener("popstate", () => {
    state = read();
    show();
  });
  addEventListener("keydown", (event) => {
    const target = event.target as HTMLElement;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (target === search) {
      if (event.key === "Escape") search.blur();
      return;
    }
    if (target.matches("input:not([type=checkbox]), select, textarea")) return;
    const view = views[Number(event.key) - 1];
    if (event.key === "/") {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (view && event.key.length === 1) go({ view: view.id, sort: "", line: -1 });
  });
  show();
  prepare(profile, views);
}

unpack()
  .then((data) => {
    setEstimates(data.run.mode === "sampled");
    start(new Profile(data));
    performance.mark("memscope-shown");
  })
  .catch((error: unknown) => {
    const main = document.getElementById("page")!;
    main.replaceChildren(
      h("p", { class: "warning" }, `This page could not be unpacked: ${(error as Error).message}. A browser from 2023 or later can.`),
    );
    main.removeAttribute("aria-busy");
    console.error(error);
  });
