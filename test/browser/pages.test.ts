// Pages in a browser: what is drawn, what a click, a search and the keyboard do. Screenshots are left in build/browser.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { utc } from "../../src/formats/time-zone.js";
import { flameGraph } from "../../src/output/flame-graph.js";
import { flameSvg } from "../../src/output/flame-svg.js";
import { reportHtml } from "../../src/output/report-html.js";
import { stackSamples } from "../../src/output/stack-samples.js";
import type { Frame, MapSnapshot, Value } from "../../src/wire/value.js";
import { Browser, noChromium, type Page } from "../support/chromium.js";
import { root } from "../support/run.js";

const skip = noChromium;
const folder = mkdtempSync(join(tmpdir(), "pages-"));
const pictures = join(root, "build/browser");
mkdirSync(pictures, { recursive: true });
const browser = skip === false ? new Browser() : undefined;
after(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

const hostile = `</script><script>window.hacked = 1</script>]]><img src=x onerror="window.hacked = 1">"'&\u2028\u0007`;
const seenHostile = `</script><script>window.hacked = 1</script>]]><img src=x onerror="window.hacked = 1">"'&\\u2028\\x07`;

const frame = (symbol: string | undefined, more: Partial<Frame> = {}): Frame => ({
  address: 1n,
  symbol,
  offset: 0n,
  module: undefined,
  ...more,
});
const stack = (user: boolean, ...frames: readonly Frame[]): Value => ({
  kind: "stack",
  user,
  mode: "bpftrace",
  frames,
});
const text = (value: string): Value => ({ kind: "string", value });
const count = (value: bigint): Value => ({ kind: "count", value });

const program = { module: "/bin/shop" };
const cpu: MapSnapshot = {
  name: "@cpu",
  keyed: true,
  entries: [
    [
      [frame("vfs_read"), frame("ksys_read")],
      [frame("fetch", { ...program, inlined: [{ symbol: "parse" }] }), frame("main", program)],
      500n,
    ],
    [[], [frame("JS:*render", { module: "[jit]" }), frame("main", program)], 250n],
    [[], [frame(undefined, { module: "/lib/libc.so", reason: "stripped" }), frame("main", program)], 150n],
    [[], [frame(hostile, program)], 98n],
    [[], [frame("rare", program), frame("main", program)], 1n],
    [[], [frame("rarer", program), frame("main", program)], 1n],
  ].map(([kernel, user, value]) => ({
    key: [stack(false, ...(kernel as Frame[])), stack(true, ...(user as Frame[])), text("shop")],
    value: count(value as bigint),
  })),
};
const off: MapSnapshot = {
  name: "@off",
  keyed: true,
  entries: [{ key: [stack(false, frame("schedule"))], value: { kind: "sum", value: 77n } }],
};

function graphOf(map: MapSnapshot, notes: readonly string[] = []) {
  const samples = stackSamples(map);
  assert.ok(samples !== undefined);
  return flameGraph(samples, notes);
}

/** Writes a page and opens it. */
async function open(name: string, content: string, size = { width: 1280, height: 800 }): Promise<Page> {
  const file = join(folder, name);
  writeFileSync(file, content);
  assert.ok(browser !== undefined);
  return browser.open(file, size);
}

const shoot = async (page: Page, name: string): Promise<void> =>
  writeFileSync(join(pictures, `${name}.png`), await page.screenshot());

/** The box of a frame, by the beginning of the text in it. */
const box = (name: string): string =>
  `[...document.querySelectorAll(".f")].find((each) => each.textContent.startsWith(${JSON.stringify(name)}))`;
const widthOf = (page: Page, name: string): Promise<number> =>
  page.value<number>(`Number(${box(name)}.querySelector("rect").getAttribute("width"))`);
const textOf = (page: Page, selector: string): Promise<string> =>
  page.value<string>(`document.querySelector(${JSON.stringify(selector)}).textContent`);
/** As wide as that share of a picture. */
const near = (actual: number, expected: number): void =>
  assert.ok(Math.abs(actual - expected) < 0.02, `${actual} is not ${expected}`);

/** Least contrast (WCAG 2.1) between the text in a frame and the frame, of all kinds. */
const leastContrast = `(() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map((part) => {
    const c = part / 255;
    return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  const light = ([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b;
  const contrasts = [...document.querySelectorAll(".f:not(.above) text")].map((label) => {
    const inks = [label, label.parentNode.querySelector("rect")].map((each) => light(parts(getComputedStyle(each).fill)));
    return (Math.max(...inks) + 0.05) / (Math.min(...inks) + 0.05);
  });
  return Math.min(...contrasts);
})()`;

test("a flame graph: zoom, search, keyboard, maps", { skip }, async () => {
  const notes = ["Lost 3 stacks: another stack has the same hash"];
  const page = await open("a.svg", flameSvg([graphOf(cpu, notes), graphOf(off)], { title: "x.bt", generator: "test" }));
  const whole = 1280 - 20;
  near(await widthOf(page, "all"), whole - 0.5);
  near(await widthOf(page, "main"), whole * 0.902 - 0.5);
  near(await widthOf(page, "fetch"), whole * 0.5 - 0.5);
  assert.equal(await textOf(page, ".notes li"), notes[0]);
  assert.equal(await textOf(page, ".legend"), "part of the keyprogramkernelcompiled at run timeinlinedno name");
  assert.ok((await page.value<number>(leastContrast)) > 4.5);
  await shoot(page, "flame-light");

  // A frame under the mouse is told, and a click lets it fill the picture.
  await page.pointAt(box("fetch"));
  assert.equal(
    await textOf(page, ".details"),
    "fetch — 500 samples, 50.0% of all — nothing in itself — program — /bin/shop",
  );
  await page.click(box("fetch"));
  near(await widthOf(page, "fetch"), whole - 0.5);
  near(await widthOf(page, "vfs_read"), whole - 0.5);
  assert.equal(await page.value(`${box("main")}.classList.contains("above")`), true);
  assert.equal(await page.value(`${box("JS:*render")} === undefined`), true);
  await page.key("Backspace");
  near(await widthOf(page, "fetch"), (whole * 500) / 902 - 0.5);
  await page.pointAt(box("fetch"));
  assert.match(await textOf(page, ".details"), /^fetch — 500 samples, 50\.0% of all, 55\.4% of what is shown/);
  await page.click(`[...document.querySelectorAll("button")].find((each) => each.textContent === "Reset zoom")`);
  near(await widthOf(page, "fetch"), whole * 0.5 - 0.5);

  // Search: what matches has a colour, and the share is told without counting twice.
  await page.key("/");
  await page.type("READ");
  assert.equal(await textOf(page, ".matched"), "50.0% (2 names)");
  assert.equal(await page.value(`document.querySelectorAll(".f.hit").length`), 2);
  await shoot(page, "flame-search");
  await page.key("Enter");
  near(await widthOf(page, "ksys_read"), whole - 0.5);
  await page.key("Escape");
  await page.key("Escape");
  assert.equal(await page.value(`document.querySelectorAll(".f.hit").length`), 0);
  near(await widthOf(page, "fetch"), whole * 0.5 - 0.5);

  // The keyboard alone: from the root to its child, to the widest on that, and in.
  for (const key of ["Escape", "ArrowUp", "ArrowUp", "ArrowUp", "ArrowUp"]) await page.key(key);
  assert.match(await textOf(page, ".details"), /^fetch — /);
  await page.key("Enter");
  near(await widthOf(page, "fetch"), whole - 0.5);
  const heightOf = (name: string): Promise<number> =>
    page.value(`Number(${box(name)}.querySelector("rect").getAttribute("y"))`);
  assert.ok((await heightOf("all")) > (await heightOf("fetch")));
  await page.key("i");
  assert.ok((await heightOf("all")) < (await heightOf("fetch")));

  // The other map.
  await page.value(`(() => {
    const chooser = document.querySelector("select");
    chooser.value = "1";
    chooser.dispatchEvent(new Event("change"));
  })()`);
  near(await widthOf(page, "schedule"), whole - 0.5);
  assert.match(await textOf(page, ".details"), /^sum 77 in 1 different stack/);
  assert.deepEqual(page.complaints, []);
});

test("a flame graph in the dark, with names that would like to be scripts", { skip }, async () => {
  const graph = graphOf({ ...cpu, name: hostile }, [hostile]);
  const page = await open("b.svg", flameSvg([graph], { title: hostile, generator: hostile }));
  await page.scheme("dark");
  assert.ok((await page.value<number>(leastContrast)) > 4.5);
  const paper = `getComputedStyle(document.querySelector(".paper")).fill`;
  const dark = await page.value(paper);
  await shoot(page, "flame-dark");
  await page.scheme("light");
  assert.notEqual(await page.value(paper), dark);
  await page.pointAt(box("</scr"));
  assert.ok((await textOf(page, ".details")).startsWith(`${seenHostile} — 98 samples`));
  assert.equal(await textOf(page, ".notes li"), seenHostile);
  assert.equal(await page.value("typeof window.hacked"), "undefined");
  assert.deepEqual(page.complaints, []);
});

test("100,000 different stacks: few boxes, and a way to each", { skip }, async () => {
  const entries = Array.from({ length: 100_000 }, (_, i) => ({
    key: [stack(true, frame(`leaf${i}`), frame(`middle${i % 300}`), frame("main"))],
    value: count(1n),
  }));
  const page = await open(
    "c.svg",
    flameSvg([graphOf({ name: "@", keyed: true, entries })], { title: "many", generator: "test" }),
  );
  // all, main, 300 in the middle, their leaves together.
  assert.equal(await page.value(`document.querySelectorAll(".f").length`), 602);
  await page.key("/");
  await page.type("/^leaf77777$/");
  assert.equal(await textOf(page, ".matched"), "<0.01% (1 name)");
  assert.equal(await page.value(`document.querySelectorAll(".f.narrow.hit").length`), 1);
  await page.key("Enter");
  assert.match(await textOf(page, ".details"), /^leaf77777 — 1 sample, <0\.01% of all — 1 in itself/);
  near(await widthOf(page, "leaf77777"), 1280 - 20 - 0.5);
  await page.click(box("middle77"));
  // With 334 leaves of 3.8 pixels.
  assert.equal(await page.value(`document.querySelectorAll(".f").length`), 3 + 334);
  await page.click(box("main"));
  await page.click(`document.querySelector(".f.narrow")`);
  assert.match(await textOf(page, ".details"), /^1 sample|^leaf|100,000/);
  assert.deepEqual(page.complaints, []);
});

const report = (): string => {
  const hist = (scale: bigint): Value => ({
    kind: "hist",
    bits: 0,
    buckets: new Map([4n, 9n, 25n, 40n, 31n, 12n, 3n, 0n, 1n].map((n, i) => [i + 2, n * scale])),
  });
  const linear: Value = {
    kind: "lhist",
    min: 0n,
    max: 100n,
    step: 10n,
    buckets: new Map([
      [1, 3n],
      [4, 8n],
      [11, 2n],
    ]),
  };
  const series = (factor: number): Value => ({
    kind: "tseries",
    interval: 1_000_000_000n,
    intervals: 60,
    signed: true,
    points: new Map(
      Array.from({ length: 30 }, (_, i) => [
        BigInt(1_700_000_000 + i),
        BigInt(Math.round(factor * (9 + 8 * Math.sin(i / 3)))),
      ]),
    ),
  });
  const map = (name: string, ...entries: readonly (readonly [Value | undefined, Value])[]): MapSnapshot => ({
    name,
    keyed: entries.some(([key]) => key !== undefined),
    entries: entries.map(([key, value]) => ({ key: key === undefined ? [] : [key], value })),
  });
  const maps = [
    cpu,
    off,
    map("@latency", [text("shop"), hist(3n)], [text("nginx"), hist(1n)]),
    map("@size", [undefined, linear]),
    map("@rate", [text("reads"), series(100)], [text(hostile), series(37)]),
    map("@calls", [text("shop"), count(9n)], [text("a"), count(10n)], [text(hostile), count(200n)]),
    map("@total", [undefined, count(219n)]),
  ];
  return reportHtml({
    zone: utc,
    title: "shop.bt",
    script: "profile:hz:99 { @cpu[kstack, ustack, comm] = count(); }",
    generator: "beetrace test",
    about: "2026-11-21 10:26:14, 3.0 s, Linux 6.18",
    maps: maps.map((each) => ({ prints: [each], forgotten: 0 })),
    text: `one line\n${hostile}\n`,
    notices: [{ severity: "lost", text: "Lost 3 stacks: another stack has the same hash" }],
  });
};

test("a report: graphs that answer, tables that sort, charts, text", { skip }, async () => {
  const page = await open("d.html", report(), { width: 1280, height: 1000 });
  assert.deepEqual(await page.value(`[...document.querySelectorAll("h2")].map((each) => each.textContent)`), [
    "@cpu",
    "@off",
    "@latency",
    "@size",
    "@rate",
    "@calls",
    "Values",
    "Text",
  ]);
  assert.equal(await textOf(page, ".notices li"), "Lost 3 stacks: another stack has the same hash");
  await shoot(page, "report-light");

  const whole = await page.value<number>(`document.querySelector(".scroll").clientWidth`);
  near(await widthOf(page, "fetch"), whole * 0.5 - 0.5);
  await page.click(box("fetch"));
  near(await widthOf(page, "fetch"), whole - 0.5);
  // The other graph stays as it is.
  near(await widthOf(page, "schedule"), whole - 0.5);
  await page.click(`document.querySelector("section.flame input")`);
  await page.type("parse");
  assert.equal(await textOf(page, ".matched"), "50.0%, 100% of what is shown (1 name)");

  const column = (): Promise<readonly string[]> =>
    page.value(`(() => {
      const table = [...document.querySelectorAll("section")].find((each) => each.textContent.startsWith("@calls"));
      return [...table.querySelectorAll("tbody td:last-child")].map((each) => each.textContent);
    })()`);
  assert.deepEqual(await column(), ["200", "10", "9"]);
  const head = (place: number): string =>
    `[...document.querySelectorAll("section")].find((each) => each.textContent.startsWith("@calls")).querySelectorAll("th button")[${place}]`;
  await page.click(head(0));
  assert.deepEqual((await column()).toSorted(), ["10", "200", "9"]);
  await page.click(head(1));
  assert.deepEqual(await column(), ["200", "10", "9"]);
  await page.click(head(1));
  assert.deepEqual(await column(), ["9", "10", "200"]);

  // Bars and lines are where their numbers say.
  const bars = await page.value<readonly number[]>(
    `[...document.querySelector("figure.hist").querySelectorAll(".bar i")].map((each) => each.getBoundingClientRect().width / each.parentNode.clientWidth)`,
  );
  assert.equal(bars.length, 9);
  near((bars[0] ?? 0) / (bars[3] ?? 1), 0.1);
  assert.equal(await page.value(`document.querySelectorAll(".lines path").length`), 2);
  assert.ok((await textOf(page, "pre.text")).includes(seenHostile));
  assert.equal(await page.value("typeof window.hacked"), "undefined");

  // Nothing is wider than the window, not even a small one.
  const overflow = `document.documentElement.scrollWidth - document.documentElement.clientWidth`;
  assert.equal(await page.value(overflow), 0);
  await page.send("Emulation.setDeviceMetricsOverride", {
    width: 480,
    height: 900,
    deviceScaleFactor: 1,
    mobile: false,
  });
  assert.equal(await page.value(overflow), 0);
  await shoot(page, "report-narrow");
  await page.send("Emulation.setDeviceMetricsOverride", {
    width: 1280,
    height: 3600,
    deviceScaleFactor: 1,
    mobile: false,
  });
  await page.scheme("dark");
  await shoot(page, "report-dark");
  assert.deepEqual(page.complaints, []);
});

test("without a script the same pages are pictures", { skip }, async () => {
  const page = await open("e.html", `<!DOCTYPE html><meta charset="utf-8"><img src="a.svg" width="1200">`);
  assert.equal(await page.value(`document.querySelector("img").naturalWidth`), 1200);
  await shoot(page, "picture");
  await page.send("Emulation.setScriptExecutionDisabled", { value: true });
  await page.send("Page.navigate", { url: `file://${join(folder, "d.html")}` });
  await page.send("Page.getLayoutMetrics");
  await shoot(page, "report-without-script");
  assert.deepEqual(page.complaints, []);
});
