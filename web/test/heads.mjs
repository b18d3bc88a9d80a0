// What a report's page calls its largest sites, and what its first sentence says.
//
// node test/heads.mjs FILE
import { pathToFileURL } from "node:url";
import { launch } from "./browser.mjs";

const browser = await launch();
try {
  const page = await browser.newPage();
  await page.goto(pathToFileURL(process.argv[2]).href);
  await page.waitForSelector("main:not([aria-busy])", { timeout: 60_000 });
  const heads = await page.locator(".top .fn").allInnerTexts();
  console.log(JSON.stringify({ sentence: await page.locator("h1").innerText(), heads }));
} finally {
  await browser.close();
}
