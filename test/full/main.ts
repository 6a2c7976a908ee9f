// The long checks; scripts/full.mjs compiles and starts this.
import { release } from "node:os";
import { parseArgs } from "node:util";
import { besideBpftrace } from "./beside.js";
import type { Check, Row } from "./check.js";
import { randomScripts } from "./random-scripts.js";
import { sigkill, signals } from "./survival.js";

const checks: readonly Check[] = [randomScripts, besideBpftrace, sigkill, signals];

const usage = `usage: npm run full -- [--only NAME,NAME...] [--count N] [--seed N]

Checks that take too long for each run of the tests, which have small editions of them. As root.

${checks.map(({ name, count, about }) => `  ${name.padEnd(16)} ${String(count).padStart(6)}  ${about}`).join("\n")}

  --count N  so many of each in place of these
  --seed N   the first one; what fails names its own
  BPFTRACE   in the environment: the bpftrace to compare with (default: bpftrace in PATH)
`;

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    count: { type: "string" },
    seed: { type: "string", default: "1" },
    help: { type: "boolean", default: false },
  },
});

const say = (text: string): void => void process.stdout.write(`${text}\n`);

function chosen(): readonly Check[] {
  const names = values.only?.split(",") ?? checks.map(({ name }) => name);
  return names.map((name) => {
    const check = checks.find((each) => each.name === name);
    if (check === undefined) {
      process.stderr.write(`no check ${name}\n\n${usage}`);
      process.exit(64);
    }
    return check;
  });
}

function show({ what, figures, failures, skipped }: Row): string {
  const counts = Object.entries(figures).map(([name, value]) =>
    typeof value === "number" ? `${value} ${name}` : `${name} ${value}`,
  );
  const result = skipped === undefined ? `${failures.length} failed` : `skipped: ${skipped}`;
  return `| ${what} | ${counts.join(", ")} | ${result} |`;
}

async function main(): Promise<number> {
  if (values.help) {
    say(usage);
    return 0;
  }
  say(`# Full checks, ${new Date().toISOString().slice(0, 10)}, Linux ${release()}, Node.js ${process.version}`);
  let failed = 0;
  for (const check of chosen()) {
    say(`\n## ${check.name}: ${check.about}\n`);
    const begun = performance.now();
    const rows = await check.run({
      count: Number(values.count ?? check.count),
      seed: Number(values.seed),
      reference: process.env["BPFTRACE"] ?? "bpftrace",
      say,
    });
    failed += rows.reduce((sum, { failures }) => sum + failures.length, 0);
    say(`\n| what | done | result |\n| --- | --- | --- |\n${rows.map(show).join("\n")}`);
    say(`\n${((performance.now() - begun) / 1000).toFixed(0)} s`);
  }
  return failed === 0 ? 0 : 1;
}

process.exit(await main());
