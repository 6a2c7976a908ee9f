import { openSys } from "../../src/sys/ffi.js";
import { strains } from "../support/strains.js";
import { kill, type Round, signalTwice } from "../support/survival.js";
import type { Check, CheckOptions, Row } from "./check.js";

async function rounds(
  what: string,
  { count, seed, say }: CheckOptions,
  run: (seed: number) => Promise<Round>,
): Promise<Row> {
  const failures: string[] = [];
  for (let i = 0; i < count; i++) {
    const { story, problems } = await run(seed + i);
    if (problems.length === 0) continue;
    const text = `${what}, seed ${seed + i}: ${problems.join("; ")}\n  ${story}`;
    failures.push(text);
    say(text);
  }
  return { what, figures: { runs: count }, failures };
}

export const sigkill: Check = {
  name: "sigkill",
  about: "SIGKILL at random moments leaves nothing in the kernel and no process",
  count: 300,
  run: async (options) => {
    const sys = openSys();
    return [await rounds("SIGKILL", options, (seed) => kill(sys, seed))];
  },
};

export const signals: Check = {
  name: "signals",
  about: "two signals at random moments end a run within two seconds",
  count: 300,
  run: async (options) => {
    const sys = openSys();
    const rows: Row[] = [];
    for (const strain of strains)
      rows.push(await rounds(strain.name, options, (seed) => signalTwice(sys, strain, seed)));
    return rows;
  },
};
