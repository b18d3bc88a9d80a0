// Numbers for people, as the report for a terminal writes them.

let mark = "";

/** Whether all figures are estimates; they are marked then. */
export function setEstimates(are: boolean): void {
  mark = are ? "≈" : "";
}

function threeDigits(value: number): string {
  return value < 9.995 ? value.toFixed(2) : value < 99.95 ? value.toFixed(1) : value.toFixed(0);
}

const UNITS = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/** Bytes with three digits that count, without a mark. */
export function plainBytes(n: number): string {
  const sign = n < 0 ? "−" : "";
  n = Math.abs(n);
  if (n < 1024) return `${sign}${n} B`;
  let unit = 0;
  let value = n / 1024;
  while (value >= 1023.5 && unit + 1 < UNITS.length) {
    value /= 1024;
    unit++;
  }
  return `${sign}${threeDigits(value)} ${UNITS[unit]}`;
}

export function bytes(n: number): string {
  return mark + plainBytes(n);
}

const grouped = new Intl.NumberFormat("en-US");

/** A count without a mark. */
export function plainCount(n: number): string {
  return grouped.format(Math.round(n)).replace("-", "−");
}

export function count(n: number): string {
  return mark + plainCount(n);
}

export function counted(n: number, noun: string): string {
  return `${count(n)} ${noun}${n === 1 ? "" : "s"}`;
}

/** A part in percent that never rounds to all or to nothing. */
export function share(part: number, whole: number): string {
  if (!(whole > 0)) return "";
  if (part === 0) return "0 %";
  if (part === whole) return "100 %";
  const percent = (part * 100) / whole;
  if (percent < 0.1) return "<0.1 %";
  if (part < whole && percent > 99.9) return ">99.9 %";
  return `${percent.toFixed(1)} %`;
}

export function duration(ms: number): string {
  if (ms < 1) return "0 ms";
  if (ms < 999.5) return `${threeDigits(ms).replace(/\.0+$/, "")} ms`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${threeDigits(ms / 1000)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds / 60) % 60} min`;
}

/** With a sign, for changes. */
export function signed(text: string, n: number): string {
  return n > 0 ? `+${text}` : text;
}

/** A name whose long type arguments are left out; the whole is for hovering. */
export function elide(name: string, limit = 60): string {
  for (let keep = 2; keep >= 0 && name.length > limit; keep--) {
    let depth = 0;
    let text = "";
    let before = "";
    for (const c of name) {
      const opens = c === "<" && /[\w:]/.test(before);
      const closes = c === ">" && before !== "-" && depth > 0;
      if (opens || (c === "<" && depth > 0)) {
        depth++;
        if (depth <= keep) text += c;
        else if (depth === keep + 1) text += "<…";
      } else if (closes) {
        if (depth <= keep + 1) text += c;
        depth--;
      } else if (depth <= keep) text += c;
      before = c;
    }
    name = text;
  }
  return name;
}
