// strftime(3) and tzset(3) beside the C library of this machine, where a compiler is there to ask it.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { formatTime, timeFormat } from "../../src/output/format-time.js";
import { zoneOf } from "../../src/trace/local-zone.js";
import { compileC } from "../support/c-program.js";

const folder = mkdtempSync(join(tmpdir(), "strftime-"));
after(() => rmSync(folder, { recursive: true }));
const program = join(folder, "strftime");
const problem = compileC("strftime", program);
const skip = problem;

interface Group {
  readonly zone: string;
  readonly format: string;
  readonly moments: readonly number[];
}

/** Runs all groups in one process; answers what differs, at most a few. */
function differences(groups: readonly Group[]): readonly string[] {
  const input = groups.flatMap(({ zone, format, moments }) => [
    `Z${zone}`,
    `F${format}`,
    ...moments.map((moment) => `T${moment}`),
  ]);
  const run = spawnSync(program, { input: `${input.join("\n")}\n`, encoding: "latin1", maxBuffer: 1 << 29 });
  assert.equal(run.status, 0);
  const answers = run.stdout.split("\x01");
  const zones = new Map<string, ReturnType<typeof zoneOf>>();
  const found: string[] = [];
  let at = 0;
  for (const { zone, format, moments } of groups) {
    const local = zones.get(zone) ?? zoneOf(zone, undefined);
    zones.set(zone, local);
    const show = timeFormat(format);
    for (const seconds of moments) {
      const ours = show({ seconds, microseconds: 0 }, local);
      const theirs = answers[at++];
      if (ours !== theirs && found.length < 40)
        found.push(`TZ='${zone}' ${seconds} '${format}': '${ours}', the C library '${theirs}'`);
    }
  }
  assert.equal(answers.length, at + 1, "every moment was answered");
  return found;
}

/** A generator with a fixed beginning: the same moments in each run. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const utcSeconds = (year: number, month = 0, day = 1): number => Date.UTC(year, month, day) / 1000;
const first = utcSeconds(1900);
const end = utcSeconds(2500);

const everything = [..."aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYzZ%"];

test("every conversion, day by day at the turn of 600 years", { skip }, () => {
  const moments: number[] = [];
  for (let year = 1900; year < 2500; year++)
    for (const day of [-5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 58, 59, 60])
      moments.push(utcSeconds(year, 0, 1 + day) + ((year * 7919 + day * 104729) % 86400));
  const format = everything.map((letter) => `%${letter}`).join("|");
  assert.deepEqual(differences([{ zone: "UTC0", format, moments }]), []);
});

test("every letter with every flag, width and modifier, also those that mean nothing", { skip }, () => {
  const letters = [...everything, ..."EfiJKLNoqQv+&*,.:;<=>?@[]!$'(/{|}~\"", "-", ""];
  const flags = ["", "_", "-", "0", "^", "#", "^#", "#^", "_0", "0-", "-_", "^_", "#0"];
  const widths = ["", "1", "2", "3", "5", "10", "35"];
  const moments = [
    0,
    1,
    utcSeconds(2026, 11, 1) + 3723,
    utcSeconds(2005, 0, 1) + 47045,
    utcSeconds(1908, 1, 9) + 82800,
  ];
  const groups: Group[] = [];
  for (const letter of letters)
    for (const flag of flags)
      for (const width of widths)
        for (const modifier of ["", "E", "O"]) {
          // bpftrace's own, which the C library does not know.
          if (flag + width + modifier + letter === "f") continue;
          groups.push({ zone: "Abc-5:30", format: `x%${flag}${width}${modifier}${letter}`, moments });
        }
  assert.deepEqual(differences(groups), []);
});

const rules = [
  "EST5EDT,M3.2.0,M11.1.0",
  "<+03>-3",
  "<-00>0",
  "NZST-12NZDT,M9.5.0,M4.1.0/3",
  "IST-2IDT,M3.4.4/26,M10.5.0",
  "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
  "QQQ3YYY,J60,J300",
  "QQQ3YYY,J59/0,J60/24",
  "QQQ3YYY,59,300/12:34:56",
  "QQQ3YYY,0/0,J365/23",
  "QQQ-3YYY-3:30,M4.1.0/50,M10.5.6/167:59:59",
  "AAA10BBB9,M1.1.1/-167,M12.5.6/-24",
  // Without rules glibc asks a file `posixrules`, which the zones' own makers have given up.
  "AAA+10:59:59BBB,M3.2.0,M11.1.0",
  "AAA24",
  "AAA25:61:70BBB-30,M5.5.5,M6.1.1",
  "Abc3",
  "ABC",
  "Ab",
  "ABC3DEF,M3.2.0",
  "ABC3DEF,M3.2.0,",
  "ABC3DEF,M3.2.0/,M11.1.0",
  "ABC3DEF,365,365",
  ":EST5EDT,M3.2.0,M11.1.0",
  "<+1-2>5<a0b>,M3.2.0,M11.1.0",
  "Nowhere/AtAll",
  "",
  ":",
  "12",
  ":/etc/passwd",
  "/dev/null",
  "UTC",
];

const shown = "%F %T %Z %z";

test("zones as rules, hour by hour and at their changes", { skip }, () => {
  const moments: number[] = [];
  for (let at = utcSeconds(2023, 11, 1); at < utcSeconds(2025, 1, 1); at += 3600) moments.push(at - 1, at);
  const random = randomNumbers(7);
  // Before 1970 glibc takes the first days of that year for the changes.
  for (let i = 0; i < 500; i++) moments.push(random(end));
  assert.deepEqual(differences(rules.map((zone) => ({ zone, format: shown, moments }))), []);
});

const zoneinfo = "/usr/share/zoneinfo";

/** Every file of the folder; those with an ending are tables. */
function zoneNames(path: string): readonly string[] {
  try {
    return readdirSync(path).flatMap((name) => {
      const full = join(path, name);
      return statSync(full).isDirectory() ? zoneNames(full) : /\./.test(name) ? [] : [full.slice(zoneinfo.length + 1)];
    });
  } catch {
    return [];
  }
}

test("every zone of this machine, around each of its changes", { skip }, () => {
  const random = randomNumbers(11);
  const groups = zoneNames(zoneinfo).map((zone, i): Group => {
    const local = zoneOf(zone, undefined);
    const offsetAt = (seconds: number): string => JSON.stringify(local.at(seconds));
    const moments: number[] = [];
    const step = 45 * 86400;
    for (let at = first; at < utcSeconds(2060); at += step) {
      const changed = offsetAt(at) !== offsetAt(at + step);
      moments.push(at + random(step));
      if (!changed) continue;
      let [low, high] = [at, at + step];
      while (high - low > 1) {
        const middle = Math.floor((low + high) / 2);
        if (offsetAt(middle) === offsetAt(low)) low = middle;
        else high = middle;
      }
      moments.push(low - 3600, low, high, high + 1, high + 3600);
    }
    for (let year = 2060; year < 2500; year += 1 + (i % 3)) moments.push(utcSeconds(year) + random(366 * 86400));
    return { zone, format: shown, moments };
  });
  assert.deepEqual(differences(groups), []);
});

test("leap seconds, where the zone counts them", {
  skip:
    statSync(join(zoneinfo, "right/UTC"), { throwIfNoEntry: false }) === undefined
      ? "no zones with leap seconds"
      : skip,
}, () => {
  const moments: number[] = [];
  for (const [year, month] of [
    [1972, 6],
    [1999, 0],
    [2017, 0],
  ] as const)
    for (let i = -2; i < 40; i++) moments.push(utcSeconds(year, month) + i);
  assert.deepEqual(
    differences(["right/UTC", "right/Europe/Paris"].map((zone) => ({ zone, format: `${shown} %s`, moments }))),
    [],
  );
});

test("microseconds are bpftrace's own conversion", () => {
  const zone = zoneOf("UTC", undefined);
  assert.equal(formatTime("%f|%%f|%6f|%-f", { seconds: 0, microseconds: 42 }, zone), "000042|%f|   %6f|%-f");
});
