// How long a report's page takes, as the browser measures it: the first view, and each interaction from the input to the
// next paint that the screen shows (Event Timing, in steps of 8 ms), or its longest task. All inputs are those of a pointer or a
// keyboard, and nothing that they change waits for a timer. Beside it the processor time of the page's main thread in all of
// it, which other programs on the machine do not count into. The tests do not judge times; this prints them.
//
// node test/measure.mjs FILE [ROUNDS] [WAIT]
//
// WAIT: milliseconds from the first view to the first interaction; without it, until all that is prepared is.
import { pathToFileURL } from "node:url";
import { launch } from "./browser.mjs";

const [file, rounds = "3", wait = ""] = process.argv.slice(2);
const browser = await launch();
const times = {};
const note = (name, ...ms) => (times[name] ??= []).push(ms.map(Math.round));
try {
  for (let round = 0; round < Number(rounds); round++) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    const page = await context.newPage();
    const devtools = await context.newCDPSession(page);
    await devtools.send("Performance.enable", { timeDomain: "threadTicks" });
    const busy = async () => (await devtools.send("Performance.getMetrics")).metrics.find((it) => it.name === "TaskDuration").value * 1000;
    await page.addInitScript(() => {
      globalThis.seenEvents = [];
      new PerformanceObserver((list) => globalThis.seenEvents.push(...list.getEntries().map((it) => it.duration))).observe({ type: "event", durationThreshold: 16 });
      globalThis.seenTasks = [];
      new PerformanceObserver((list) => globalThis.seenTasks.push(...list.getEntries().map((it) => it.duration))).observe({ type: "longtask" });
    });
    await page.goto(pathToFileURL(file).href);
    await page.waitForSelector("main:not([aria-busy])", { timeout: 60_000 });
    note("first view", await page.evaluate(() => performance.getEntriesByName("memscope-shown")[0].startTime), await busy());
    if (wait !== "") await page.waitForTimeout(Number(wait));
    else {
      await page.waitForFunction(() => performance.getEntriesByName("memscope-prepared").length > 0);
      note("prepared", await page.evaluate(() => performance.getEntriesByName("memscope-prepared")[0].startTime), await busy());
      await page.waitForTimeout(300);
    }
    const timed = async (name, action) => {
      await page.evaluate(() => { globalThis.seenEvents.length = 0; globalThis.seenTasks.length = 0; });
      const before = await busy();
      await action();
      await page.waitForTimeout(500);
      const after = await busy();
      const [events, tasks] = await page.evaluate(() => [globalThis.seenEvents, globalThis.seenTasks]);
      note(name, Math.max(0, ...events, ...tasks), after - before);
    };
    const view = (id) => timed(`view ${id}`, () => page.click(`[data-view="${id}"]`));
    // By keyboard: what a script selects is no input.
    const metric = async (id, key) => {
      await page.locator(".controls select").focus();
      await timed(`metric ${id}`, () => page.keyboard.press(key));
      if ((await page.locator(".controls select").inputValue()) !== id) throw new Error(`${key} does not choose ${id}`);
    };
    await timed("open a site", () => page.locator(".top summary").first().click());
    await metric("live", "ArrowDown");
    await view("flame");
    await metric("temporary", "End");
    await metric("peak", "Home");
    await timed("flame all frames", () => page.getByLabel("Frames of library and runtime").click());
    await timed("flame inside out", () => page.getByLabel("Inside out").click());
    await metric("live", "ArrowDown");
    await metric("allocated", "ArrowDown");
    await timed("flame inside out back", () => page.getByLabel("Inside out").click());
    await timed("flame zoom", () => page.locator("canvas").click({ position: { x: 300, y: 77 } }));
    await timed("flame out", () => page.keyboard.press("Escape"));
    await view("sites");
    await metric("allocations", "ArrowDown");
    await timed("sort", () => page.getByRole("button", { name: "Mean size" }).click());
    await timed("open a row", () => page.locator("tbody .toggle").first().click());
    await page.keyboard.press("/");
    await timed("search h", () => page.keyboard.type("h"));
    await timed("search handler", () => page.keyboard.type("andler", { delay: 40 }));
    await timed("search order77", () => page.fill("input[type=search]", "order77"));
    await timed("search nothing", () => page.fill("input[type=search]", "no such thing"));
    await timed("search cleared", () => page.fill("input[type=search]", ""));
    for (const id of ["types", "timeline"]) await view(id);
    const svg = await page.locator(".timeline svg").boundingBox();
    await timed("brush", async () => {
      await page.mouse.move(svg.x + svg.width * 0.3, svg.y + 60);
      await page.mouse.down();
      await page.mouse.move(svg.x + svg.width * 0.8, svg.y + 70, { steps: 6 });
      await page.mouse.up();
    });
    await timed("brush again", async () => {
      await page.mouse.move(svg.x + svg.width * 0.1, svg.y + 60);
      await page.mouse.down();
      await page.mouse.move(svg.x + svg.width * 0.4, svg.y + 70, { steps: 6 });
      await page.mouse.up();
    });
    await timed("sort a span", () => page.getByRole("button", { name: "Shrunk" }).click());
    for (const id of ["threads", "leaks", "completeness", "overview"]) await view(id);
    await context.close();
  }
} finally {
  await browser.close();
}
for (const [name, all] of Object.entries(times)) {
  const median = (which) => String(all.map((ms) => ms[which] ?? 0).sort((a, b) => a - b)[all.length >> 1]).padStart(5);
  console.log(`${name.padEnd(24)} to the paint ${median(0)} ms, processor ${median(1)} ms   (${all.map((ms) => ms.join("/")).join(" ")})`);
}
