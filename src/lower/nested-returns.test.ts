import assert from "node:assert/strict";
import { test } from "node:test";
import { writeBtf } from "../../test/fixtures/write-btf.js";
import { FixtureKernel } from "../../test/support/fixture-kernel.js";
import { Simulation } from "../../test/support/simulation.js";
import { btfId } from "../base/branded.js";
import { Btf } from "../formats/btf.js";

/** A kernel that knows nothing but what the count of waiting returns needs: `members` of uprobe_task, 32 bits each. */
class Nesting extends FixtureKernel {
  private readonly known: Btf;

  constructor(members: readonly string[]) {
    super();
    const word = {
      kind: "int",
      name: "unsigned int",
      size: 4,
      bits: 32,
      signed: false,
      char: false,
      bool: false,
    } as const;
    const member = (name: string, at: number, type = 1) => ({ name, type: btfId(type), bitOffset: 8 * at, bitSize: 0 });
    this.known = Btf.parse(
      writeBtf([
        word,
        { kind: "struct", name: "uprobe_task", size: 16, members: members.map((name, i) => member(name, 4 * i)) },
        { kind: "pointer", to: btfId(2) },
        { kind: "struct", name: "task_struct", size: 64, members: [member("utask", 48, 3)] },
      ]),
    );
  }

  override btf(): Btf {
    return this.known;
  }
}

/** Counted for returns of a user function at which so many calls were waiting. */
function counted(kernel: Nesting, depths: readonly number[], probe = "uretprobe"): bigint {
  const simulation = new Simulation(`${probe}:/fixture/tiny:twice { @n++; }`, { kernel });
  for (const depth of depths) {
    const uprobes = new Uint8Array(16);
    new DataView(uprobes.buffer).setUint32(4, depth, true);
    new DataView(simulation.task.buffer).setBigUint64(48, simulation.put("kernel", uprobes), true);
    simulation.fire();
  }
  assert.equal(simulation.scalar("@n"), `${depths.length}`);
  return simulation.losses()["returns-nested"] ?? 0n;
}

test("returns at which no more calls of the task could wait are counted", () => {
  // The number holds the call itself up to Linux 6.13.
  assert.equal(counted(new Nesting(["state", "depth"]), [1, 63, 64, 64, 2]), 2n);
  assert.equal(counted(new Nesting(["state", "depth", "ri_pool"]), [0, 62, 63, 63, 1]), 2n);
  assert.equal(counted(new Nesting(["state"]), [64]), 0n, "where type information does not tell");
  assert.equal(counted(new Nesting(["state", "depth"]), [64], "uprobe"), 0n, "entries are all seen");
});
