// Shows files to the viewers that they are for, in Chromium, and prints what those show.
//
// node test/clients.mjs DHAT SPEEDSCOPE SVG
import { readFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { launch } from "./browser.mjs";

const [dhat, speedscope, svg] = process.argv.slice(2);
const browser = await launch({ webgl: true });
const folder = mkdtempSync(join(tmpdir(), "memscope-clients-"));
const seen = {};
try {
  // valgrind's own page, with its own loader.
  let page = await browser.newPage();
  await page.goto("file:///usr/libexec/valgrind/dh_view.html");
  await page.setInputFiles("input[type=file]", dhat);
  await page.waitForFunction(() => /Times|Error|error/.test(document.body.innerText) && /PP 1|rror/.test(document.body.innerText), null, { timeout: 60_000 });
  seen.dhat = await page.locator("body").innerText();

  // speedscope as its command opens it.
  page = await browser.newPage({ viewport: { width: 1600, height: 1200 } });
  const loader = join(folder, "profile.js");
  writeFileSync(loader, `speedscope.loadFileFromBase64("profile.json", ${JSON.stringify(readFileSync(speedscope).toString("base64"))})`);
  const index = fileURLToPath(new URL("../node_modules/speedscope/dist/release/index.html", import.meta.url));
  await page.goto(`${pathToFileURL(index).href}#localProfilePath=${loader}`);
  await page.waitForFunction(() => document.body.innerText.includes("1/"), null, { timeout: 60_000 });
  await page.keyboard.press("3");
  await page.waitForFunction(() => document.body.innerText.includes("Symbol Name"), null, { timeout: 60_000 });
  // Its table draws the rows that fit, and may have been measured before it was laid out: a change of size measures it again.
  for (let height = 1190; height > 1140; height -= 10) {
    const rows = page.waitForFunction(() => document.body.innerText.includes("::"), null, { timeout: 5000 });
    if (await rows.then(() => true, () => false)) break;
    await page.setViewportSize({ width: 1600, height });
  }
  seen.speedscope = await page.locator("body").innerText();

  // An XML parser is stricter than a picture's viewer.
  page = await browser.newPage();
  seen.svg = await page.evaluate((text) => {
    const picture = new DOMParser().parseFromString(text, "image/svg+xml");
    const boxes = [...picture.querySelectorAll("g rect")];
    return {
      error: picture.querySelector("parsererror")?.textContent ?? "",
      boxes: boxes.length,
      widest: String(Math.max(...boxes.map((box) => Number(box.getAttribute("width"))))),
      texts: [...picture.querySelectorAll("text")].map((text) => text.textContent).join("\n"),
    };
  }, readFileSync(svg, "utf8"));
} finally {
  await browser.close();
  rmSync(folder, { recursive: true });
}
console.log(JSON.stringify(seen));
