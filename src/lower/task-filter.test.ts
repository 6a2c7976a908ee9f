import assert from "node:assert/strict";
import { test } from "node:test";
import { complaints } from "../../test/support/compile-script.js";
import { FixtureKernel, fixtureBtf } from "../../test/support/fixture-kernel.js";
import { Simulation, type SimulationOptions } from "../../test/support/simulation.js";
import type { TaskFilter } from "../language/task-filter.js";
import { systemMaps, treeState } from "../wire/map-storage.js";

const word = (n: number): Uint8Array => {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, n, true);
  return bytes;
};

/** How often the action runs for one event. */
function runs(filter: TaskFilter, options: SimulationOptions = {}, before: (s: Simulation) => void = () => {}): bigint {
  const simulation = new Simulation("kprobe:vfs_read { @ = count(); @n++; }", { filter, ...options });
  before(simulation);
  simulation.fire();
  return simulation.map("@n")[""] === undefined ? 0n : simulation.number("@n");
}

const task = { pidTgid: (700n << 32n) | 701n, uidGid: (5n << 32n) | 33n, comm: "nginx" };

test("a process: its threads, not others with its number", () => {
  assert.equal(runs({ process: 700 }, { environment: task }), 1n);
  assert.equal(runs({ process: 701 }, { environment: task }), 0n);
});

test("a process in the tracer's pid namespace", () => {
  const kernelOptions = { device: 4n, inode: 77n };
  const helpers = {
    get_ns_current_pid_tgid: (m: Simulation["machine"], [device, inode, to, size]: readonly bigint[]) => {
      assert.deepEqual([device, inode, size], [4n, 77n, 8n]);
      m.memory.write(to ?? 0n, Uint8Array.of(8, 0, 0, 0, 7, 0, 0, 0));
      return 0n;
    },
  };
  const kernel = new FixtureKernel({ pidNamespace: kernelOptions });
  assert.equal(runs({ process: 7 }, { environment: task, helpers, kernel }), 1n);
  assert.equal(runs({ process: 700 }, { environment: task, helpers, kernel }), 0n);
});

test("users: one of several", () => {
  assert.equal(runs({ users: [0, 33] }, { environment: task }), 1n);
  assert.equal(runs({ users: [0] }, { environment: task }), 0n);
  assert.equal(runs({ users: [5] }, { environment: task }), 0n, "5 is the group");
});

test("names: whole, one of several, cut at 15 bytes as the kernel cuts them", () => {
  assert.equal(runs({ names: ["nginx"] }, { environment: task }), 1n);
  assert.equal(runs({ names: ["ngin"] }, { environment: task }), 0n);
  assert.equal(runs({ names: ["nginx2", "x", "nginx"] }, { environment: task }), 1n);
  const long = { ...task, comm: "a-name-of-15-by" };
  assert.equal(runs({ names: ["a-name-of-15-bytes-and-more"] }, { environment: long }), 1n);
  assert.equal(runs({ names: ["a-name-of-15-bx"] }, { environment: long }), 0n);
});

test("control groups: one of several; an error of the helper is no", () => {
  const under = (answers: readonly bigint[]) => ({
    helpers: {
      current_task_under_cgroup: (_: unknown, [, index = 0n]: readonly bigint[]) => answers[Number(index)] ?? 0n,
    },
  });
  assert.equal(runs({ cgroups: 1 }, under([1n])), 1n);
  assert.equal(runs({ cgroups: 2 }, under([0n, 1n])), 1n);
  assert.equal(runs({ cgroups: 2 }, under([-11n, 0n])), 0n);
});

test("all that is given must hold", () => {
  const filter = { process: 700, users: [33], names: ["nginx"] };
  assert.equal(runs(filter, { environment: task }), 1n);
  for (const other of [{ pidTgid: 1n << 32n }, { uidGid: 0n }, { comm: "other" }])
    assert.equal(runs(filter, { environment: { ...task, ...other } }), 0n);
});

test("begin, end and interval are not limited, profile is", () => {
  const filter = { process: 1 };
  const simulation = new Simulation(
    "begin { @[1] = 1; } interval:s:1 { @[2] = 1; } profile:hz:9 { @[3] = 1; } end { @[4] = 1; }",
    { filter, environment: task },
  );
  for (const i of [0, 1, 2, 3]) simulation.fire({}, i);
  assert.deepEqual(Object.keys(simulation.map("@")), ["1", "2", "4"]);
});

test("targets that an iterator cannot know are warned about", () => {
  assert.deepEqual(complaints("iter:task { @ = count(); }", { filter: { users: [0] } }), [
    "warning not-limited 'iter:task'",
  ]);
  assert.deepEqual(complaints("iter:task { @ = count(); }", { filter: { process: 5 } }), []);
});

/** Where struct task_struct of the fixture has the number. */
const pidOffset = ((): number => {
  const btf = fixtureBtf();
  const task = btf.find("task_struct", "struct");
  const member = task === undefined ? undefined : btf.memberOf(task, "pid");
  assert.ok(member);
  return member.bitOffset >> 3;
})();

/** A tree of 700; fires births and deaths by hand, as raw tracepoints or by the records of tracefs. */
class Tree {
  readonly simulation: Simulation;
  private readonly raw: boolean;

  constructor(raw: boolean) {
    const kernel = new FixtureKernel({ features: { rawTracepointUnpreempted: raw ? "yes" : "no" } });
    this.raw = raw;
    this.simulation = new Simulation("kprobe:vfs_read { @[pid] = count(); }", { filter: { tree: true }, kernel });
    const types = this.simulation.compiled.object.programs.slice(1).map((program) => program.type);
    assert.deepEqual(types, raw ? ["raw_tracepoint", "raw_tracepoint"] : ["tracepoint", "tracepoint"]);
  }

  add(pid: number): void {
    this.simulation.machine.map(systemMaps.tree).update(word(pid), word(0), 0n, 0);
  }

  note(on: boolean): void {
    const state = Uint8Array.of(on ? 1 : 0, 0, 0, 0, 0, 0, 0, 0);
    this.simulation.machine.map(systemMaps.treeState).update(word(0), state, 0n, 0);
  }

  birth(parent: number, child: number, flags = 0): void {
    this.as(parent);
    this.run("tree_birth", child, BigInt(flags), { pid: 8, flags: 32 });
  }

  free(pid: number): void {
    this.as(1);
    this.run("tree_free", pid, 0n, { pid: 12, flags: 40 });
  }

  private run(
    name: string,
    pid: number,
    flags: bigint,
    record: { readonly pid: number; readonly flags: number },
  ): void {
    const context = new DataView(new ArrayBuffer(48));
    if (this.raw) {
      const task = new Uint8Array(pidOffset + 8).fill(0xff);
      task.set(word(pid), pidOffset);
      context.setBigUint64(0, this.simulation.put("kernel", task), true);
      context.setBigUint64(8, flags, true);
    } else {
      context.setUint32(record.pid, pid, true);
      context.setBigUint64(record.flags, flags, true);
    }
    this.simulation.machine.run(this.program(name), new Uint8Array(context.buffer));
  }

  private as(process: number): void {
    this.simulation.machine.environment.pidTgid = (BigInt(process) << 32n) | 9n;
  }

  private program(name: string) {
    const found = this.simulation.compiled.object.programs.find((program) => program.name === name);
    assert.ok(found);
    return found;
  }

  members(map: string): number[] {
    const entries = this.simulation.machine.map(map).entries();
    return entries.map(({ key }) => new DataView(key.buffer, key.byteOffset).getUint32(0, true)).sort((a, b) => a - b);
  }

  fire(process: number): void {
    this.as(process);
    this.simulation.fire();
  }
}

for (const raw of [true, false]) treeTests(raw);

function treeTests(raw: boolean): void {
  const by = raw ? "by raw tracepoints" : "by records";
  test(`a tree ${by}: children of its processes join it, threads and others' children do not, the freed leave`, () => {
    const tree = new Tree(raw);
    tree.add(700);
    tree.birth(700, 701);
    tree.birth(701, 702);
    tree.birth(702, 703, 0x10000);
    tree.birth(5, 6);
    assert.deepEqual(tree.members(systemMaps.tree), [700, 701, 702]);
    assert.deepEqual(tree.members(systemMaps.births), []);
    for (const process of [700, 702, 703, 6]) tree.fire(process);
    assert.deepEqual(Object.keys(tree.simulation.map("@")), ["700", "702"]);
    tree.free(701);
    tree.free(703);
    assert.deepEqual(tree.members(systemMaps.tree), [700, 702]);
  });

  test(`a tree ${by}: births elsewhere are noted while that is wanted, with the parent`, () => {
    const tree = new Tree(raw);
    tree.note(true);
    tree.birth(5, 6);
    tree.birth(6, 7, 0x10000);
    // The tree's own are in it already: were they noted, a process that forks all the time would be looked at for ever.
    tree.add(700);
    tree.birth(700, 701);
    assert.deepEqual(tree.members(systemMaps.tree), [700, 701]);
    assert.deepEqual(tree.members(systemMaps.births), [6]);
    const [entry] = tree.simulation.machine.map(systemMaps.births).entries();
    assert.deepEqual(entry?.values, [word(5)]);
    assert.equal(treeState.noting, 0);
  });

  test(`a tree ${by} that is full counts those that it does not follow`, () => {
    const tree = new Tree(raw);
    tree.add(700);
    const e2big = -7n;
    Object.assign(tree.simulation.machine.map(systemMaps.tree), { update: () => e2big });
    tree.birth(700, 40000);
    tree.birth(700, 40001);
    assert.deepEqual(tree.simulation.losses(), { "tree-full": 2n });
    const [enomem, ebusy] = [-12n, -16n];
    for (const errno of [enomem, ebusy]) {
      Object.assign(tree.simulation.machine.map(systemMaps.tree), { update: () => errno });
      tree.birth(700, 40002);
    }
    assert.deepEqual(tree.simulation.losses(), { "tree-full": 2n, "kept-memory": 1n, "kept-busy": 1n });
  });
}
