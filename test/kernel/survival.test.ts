// Ten each of what `npm run full` does three hundred times: signals at random moments.
import assert from "node:assert/strict";
import { kernelTest } from "../support/kernel-test.js";
import { sameEverywhere } from "../support/run.js";
import { strains } from "../support/strains.js";
import { kill, type Round, signalTwice } from "../support/survival.js";

const count = Number(process.env["SURVIVAL_ROUNDS"] ?? 10);
const first = Number(process.env["SURVIVAL_SEED"] ?? 1);

async function survive(round: (seed: number) => Promise<Round>): Promise<void> {
  for (let seed = first; seed < first + count; seed++) {
    const { story, problems } = await round(seed);
    assert.deepEqual(problems, [], `seed ${seed}: ${story}`);
  }
}

kernelTest("SIGKILL at any moment leaves nothing in the kernel and no process", (sys, t) => {
  if (sameEverywhere) return t.skip(sameEverywhere);
  return survive((seed) => kill(sys, seed));
});

for (const strain of strains) {
  kernelTest(`two signals at any moment end a run: ${strain.name}`, (sys, t) => {
    if (sameEverywhere) return t.skip(sameEverywhere);
    return survive((seed) => signalTwice(sys, strain, seed));
  });
}
