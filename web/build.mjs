// Builds the page's script and style into the report's crate; with --check, only looks whether they are what would be
// built. The output depends on the sources and on the versions in package-lock.json, on nothing else.
import { build } from "esbuild";
import { readFile, writeFile } from "node:fs/promises";

const asset = new URL("../crates/memscope-report/asset/", import.meta.url);
const { outputFiles } = await build({
  entryPoints: { page: new URL("src/main.ts", import.meta.url).pathname, style: new URL("src/page.css", import.meta.url).pathname, diff: new URL("src/diff.ts", import.meta.url).pathname },
  outdir: "out",
  bundle: true,
  minify: true,
  write: false,
  format: "iife",
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
});
let stale = 0;
for (const { path, text } of outputFiles) {
  const name = path.endsWith(".css") ? "page.css" : path.endsWith("diff.js") ? "diff.js" : "page.js";
  const file = new URL(name, asset);
  if (process.argv.includes("--check")) {
    if ((await readFile(file, "utf8")) !== text) {
      console.error(`${file.pathname} is not what web/ builds. Hint: npm --prefix web run build`);
      stale = 1;
    }
  } else {
    await writeFile(file, text);
    console.log(`${name}: ${text.length} bytes`);
  }
}
process.exitCode = stale;
