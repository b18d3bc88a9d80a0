// Sorts the tables of a page of `memscope diff` in Chromium, and prints what it saw.
//
// node test/diff.mjs FILE [SCREENSHOT]
import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { launch } from "./browser.mjs";

const [file, screenshot] = process.argv.slice(2);
const browser = await launch();
const seen = {};
try {
  const complaints = [];
  const page = await browser.newPage({ viewport: { width: 1100, height: 900 } });
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.goto(pathToFileURL(file).href);
  const table = page.locator("table").last();
  const column = (n) => table.locator(`tbody td:nth-child(${n})`).allInnerTexts();
  seen.changes = await column(1);
  for (const name of ["Before", "Site"]) {
    const head = table.getByRole("columnheader", { name });
    for (const _ of [1, 2]) {
      await head.getByRole("button").click();
      (seen[name] ??= []).push({ order: await head.getAttribute("aria-sort"), cells: await column(name === "Site" ? 5 : 2) });
    }
    assert.equal(await table.locator("th[aria-sort]").count(), 1);
  }
  await page.keyboard.press("Enter");
  if (screenshot) await page.screenshot({ path: screenshot });
  assert.deepEqual(complaints, []);
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
