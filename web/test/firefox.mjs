// Loads a file into the Firefox Profiler, by its command-line client, and prints what it found.
//
// node test/firefox.mjs PROFILE [THREAD...]
// Each thread is asked for its samples; without any, the first and the third are.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const client = fileURLToPath(new URL("../node_modules/@firefox-devtools/profiler-cli/dist/profiler-cli.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "memscope-firefox-"));
const env = { ...process.env, HOME: folder, PROFILER_CLI_SESSION_DIR: folder };
const run = (...words) =>
  execFileSync(process.execPath, [client, ...words, "--session", "test"], { env, encoding: "utf8", timeout: 60_000, stdio: ["ignore", "pipe", "inherit"] });
// Started here and not by the client, which waits no longer than half a second for it.
const daemon = spawn(process.execPath, [client, "--daemon", resolve(process.argv[2]), "--session", "test"], { env, stdio: "ignore" });
try {
  for (let wait = 0; wait < 600 && !readdirSync(folder).some((name) => name.endsWith(".sock")); wait++) await pause(100);
  let text = "";
  // It listens before the file is loaded.
  for (let wait = 0; wait < 600 && !text.includes("threads across"); wait++) {
    await pause(100);
    text = run("profile", "info");
  }
  const threads = process.argv.length > 3 ? process.argv.slice(3) : ["t-0", "t-2"];
  const samples = {};
  for (const thread of threads) {
    run("thread", "select", thread);
    samples[thread] = run("thread", "samples");
  }
  console.log(JSON.stringify({ text, samples }));
} finally {
  daemon.kill();
  rmSync(folder, { recursive: true, force: true });
}
