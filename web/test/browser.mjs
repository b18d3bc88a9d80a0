// The Chromium of the machine, without a display.
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** What draws with WebGL where there is no graphics card. All that a browser draws would go through it, which is slow. */
const WEBGL = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"];

export async function launch({ webgl = false } = {}) {
  const executablePath = PLACES.find(existsSync);
  if (!executablePath) throw new Error("no Chromium found. Hint: .ci/install");
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage", ...(webgl ? WEBGL : [])] });
}
