// Drives a report's page in Chromium as a person would, and fails at what a person would complain of.
//
// node test/page.mjs FILE [SCREENSHOT-FOLDER]
// Prints what it saw as one line of JSON. No time is judged here: times are printed.
import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { launch } from "./browser.mjs";

const [file, folder] = process.argv.slice(2);
const browser = await launch();
const seen = { times: {} };
try {
  const complaints = [];
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => /^(file|data|blob):/.test(request.url()) || complaints.push(`loads ${request.url()}`));

  const shot = async (name) => folder && (await page.screenshot({ path: `${folder}/${name}.png` }));
  // From an action until what it draws is on the screen, as the browser measures it.
  const timed = async (name, action) => {
    await action();
    seen.times[name] = await page.evaluate(async () => {
      const begun = performance.now();
      dispatchEvent(new PopStateEvent("popstate"));
      await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
      return Math.round(performance.now() - begun);
    });
  };
  const view = async (id) => {
    await timed(id, () => page.click(`[data-view="${id}"]`));
    assert.equal(await page.locator(".tabs [aria-current]").getAttribute("data-view"), id);
    assert((await page.locator(".content").innerText()).length > 10, `${id} is empty`);
    await shot(id);
  };

  await page.goto(pathToFileURL(file).href);
  await page.waitForSelector("main:not([aria-busy])", { timeout: 60_000 });
  seen.times.first = await page.evaluate(() => Math.round(performance.getEntriesByName("memscope-shown")[0]?.startTime ?? -1));
  assert.notEqual(seen.times.first, -1, await page.locator("main").innerText());
  seen.sentence = await page.locator("h1").innerText();
  seen.verdict = await page.locator(".verdict").innerText();
  seen.top = await page.locator(".top .value").allInnerTexts();
  // The curve is drawn as soon as its width is known.
  await page.locator(".timeline .peak-text").waitFor();
  await shot("overview");

  // The first site's stack, with its frames folded and unfolded.
  await page.locator(".top summary").first().click();
  const frames = page.locator(".top .stack li");
  await frames.first().waitFor();
  const folded = await frames.count();
  if (await page.locator(".top .folded button").count()) {
    await page.locator(".top .folded button").first().click();
    assert((await frames.count()) > folded, "nothing unfolds");
  }
  await shot("stack");

  // Each metric changes the order; the address says which.
  for (const metric of ["live", "allocated", "allocations", "temporary", "peak"]) {
    await page.selectOption(".controls select", metric);
    assert.equal(new URL(page.url()).hash.includes(metric), metric !== "peak");
  }

  await view("flame");
  const canvas = page.locator("canvas");
  await canvas.focus();
  await page.keyboard.press("ArrowDown");
  seen.largest = await page.locator(".said span").first().innerText();
  await page.keyboard.press("Enter");
  assert(await page.locator(".path button").isVisible(), "Enter does not zoom");
  await page.keyboard.press("Escape");
  assert(!(await page.locator(".path button").isVisible()), "Escape does not go back");
  await page.evaluate(() => scrollTo(0, 0));
  const box = await canvas.boundingBox();
  const space = page.locator(".flame-space");
  const { height } = await space.boundingBox();
  await page.mouse.move(box.x + 1, box.y + 33);
  assert(await page.locator(".tip").isVisible(), "no tip under the pointer");
  await page.mouse.click(box.x + 1, box.y + 33);
  assert(await page.locator(".path button").isVisible(), "a click does not zoom");
  await timed("all", () => page.getByLabel("Frames of library and runtime").check());
  seen.deep = (await space.boundingBox()).height >= height;
  assert(seen.deep, "all frames are fewer than some");
  await shot("flame-all");
  await timed("inverse", () => page.getByLabel("Inside out").check());
  await shot("flame-inverse");

  await view("sites");
  const rows = page.locator("tbody tr:not(.detail-row)");
  const before = await rows.count();
  const name = (await page.locator("tbody .fn").first().innerText()).replace("…", "").slice(0, 12);
  await page.keyboard.press("/");
  await page.keyboard.type(name);
  // Of what is typed fast only the last is surely searched.
  await page.waitForURL((url) => new URLSearchParams(url.hash.slice(1)).get("q") === name);
  assert.match(await page.locator(".content .note").first().innerText(), /with “/);
  const found = await rows.count();
  assert(found > 0 && found <= before, "search finds nothing");
  await timed("search", async () => {});
  await page.keyboard.press("Escape");
  await rows.first().locator(".toggle").click();
  assert(await page.locator(".detail .stack li").first().isVisible(), "no stack");
  await shot("search");
  const url = page.url();
  await page.fill("input[type=search]", "no such function anywhere");
  await page.waitForSelector(".empty");
  // A shared address shows the same.
  await page.goto("about:blank");
  await page.goto(url);
  await page.waitForSelector("main:not([aria-busy])");
  assert.equal(await rows.count(), found);
  assert(await page.locator(".detail .stack li").first().isVisible(), "the stack of a shared address is closed");
  await page.fill("input[type=search]", "Ledger<Order>");
  await page.waitForURL(/q=Ledger/);
  seen.typed = await rows.count();
  await page.fill("input[type=search]", "");
  await page.waitForURL((url) => !url.hash.includes("q="));
  await page.getByRole("button", { name: "Allocations" }).click();
  assert.equal(await page.locator("th[aria-sort]").innerText(), "Allocations");

  if (await page.locator('[data-view="timeline"]').count()) {
    await view("timeline");
    const whole = await page.locator(".content h2").innerText();
    const svg = await page.locator(".timeline svg").boundingBox();
    await page.mouse.move(svg.x + svg.width * 0.3, svg.y + 60);
    await page.mouse.down();
    await page.mouse.move(svg.x + svg.width * 0.8, svg.y + 70, { steps: 4 });
    await page.mouse.up();
    await page.waitForURL(/from=\d/);
    assert.notEqual(await page.locator(".content h2").innerText(), whole);
    seen.span = await page.locator(".content h2").innerText();
    await timed("brush", async () => {});
    await shot("brush");
    await page.getByRole("button", { name: "The whole run" }).click();
    assert.equal(await page.locator(".content h2").innerText(), whole);
  }
  for (const id of ["types", "threads", "tasks", "variables", "leaks", "growth", "modules", "completeness"]) {
    if (await page.locator(`[data-view="${id}"]`).count()) await view(id);
  }
  await page.goBack();

  // From a thread to its sites.
  if (await page.locator('[data-view="threads"]').count()) {
    await page.click('[data-view="threads"]');
    const thread = page.getByTitle("Its sites").nth(1);
    if (await thread.count()) {
      await timed("thread", () => thread.click());
      seen.thread = new URLSearchParams(new URL(page.url()).hash.slice(1)).get("q");
      seen.of_thread = await rows.count();
      await rows.first().locator(".toggle").click();
      assert((await page.locator(".detail dl").innerText()).includes(seen.thread), "a site does not name its threads");
      await shot("thread");
      await page.fill("input[type=search]", "");
      await page.waitForURL((url) => !url.hash.includes("q="));
    }
  }

  // Light and dark, narrow, on paper.
  const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  await page.emulateMedia({ colorScheme: "light" });
  const light = await background();
  await page.emulateMedia({ colorScheme: "dark" });
  assert.notEqual(await background(), light);
  await page.getByLabel("Light or dark").click();
  assert.equal(await background(), light);
  await page.setViewportSize({ width: 400, height: 800 });
  for (const id of ["overview", "flame", "sites", "types", "leaks", "growth", "completeness"]) {
    if (!(await page.locator(`[data-view="${id}"]`).count())) continue;
    await page.click(`[data-view="${id}"]`);
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert(over <= 0, `${id} is ${over} pixels too wide at 400`);
    await shot(`narrow-${id}`);
  }
  await page.click('[data-view="overview"]');
  await page.setViewportSize({ width: 800, height: 1100 });
  await page.emulateMedia({ media: "print" });
  assert(!(await page.locator(".bar-top").isVisible()), "controls are printed");
  await shot("print");
  assert.deepEqual(complaints, []);
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
