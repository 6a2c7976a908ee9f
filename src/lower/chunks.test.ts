// Values in chunks, and updates that the kernel refuses: each is counted by its reason, none is lost without need.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Simulation } from "../../test/support/simulation.js";
import { simHelpers } from "../bpf/sim-helpers.js";
import { SimHash } from "../bpf/sim-maps.js";
import { chunkMapName, spareMapName } from "../wire/chunks.js";
import type { TraceEvent } from "../wire/event.js";
import { overflowMapName } from "../wire/map-storage.js";

const [ENOMEM, EBUSY] = [12n, 16n];

function hash(simulation: Simulation, name: string): SimHash {
  const map = simulation.machine.map(name);
  assert.ok(map instanceof SimHash, name);
  return map;
}

const entries = (simulation: Simulation, name: string): number => simulation.machine.map(name).entries().length;

test("a key has the chunks that it needs, of each processor", () => {
  const simulation = new Simulation("kprobe:vfs_read { @[arg0] = hist(arg1); }", { cpus: 3 });
  for (const [cpu, key, value] of [
    [0, 1n, 5n],
    [0, 1n, 6n],
    [2, 1n, 5n],
    [2, 1n, 1n << 40n],
    [1, 2n, 0n],
  ] as const) {
    simulation.machine.environment.cpu = cpu;
    simulation.fire({ registers: { arg0: key, arg1: value } });
  }
  assert.deepEqual(simulation.map("@"), { 1: "4:3 42:1", 2: "1:1" });
  assert.equal(entries(simulation, chunkMapName("@")), 4);
  assert.deepEqual(simulation.losses(), {});
});

test("where no chunk can be allocated, the cells are shared or spare ones; later ones are in chunks again", () => {
  const simulation = new Simulation(
    'kprobe:vfs_read { @ts = (uint64)100; @h[comm, arg0] = hist(arg1); @l[arg0] = lhist(arg1, 0, 1000, 1); @t[arg0] = tseries(arg1, 10ns, 100, "sum"); }',
    { settings: { dummy_ts_map: "@ts" } },
  );
  const fire = (key: bigint, value: bigint) => simulation.fire({ registers: { arg0: key, arg1: value } });
  for (const refusal of [ENOMEM, EBUSY]) {
    for (const map of ["@h", "@l", "@t"]) hash(simulation, chunkMapName(map)).refusal = refusal;
    for (const value of [5n, 6n, 900n]) fire(1n, value);
  }
  for (const map of ["@h", "@l", "@t"]) hash(simulation, chunkMapName(map)).refusal = 0n;
  for (const value of [5n, 100n]) fire(1n, value);
  fire(2n, 3n);
  assert.deepEqual(simulation.map("@h"), { "test,1": "4:5 8:1 11:2", "test,2": "3:1" });
  assert.deepEqual(simulation.map("@l"), { 1: "6:3 7:2 101:1 901:2", 2: "4:1" });
  assert.deepEqual(
    Object.values(simulation.map("@t")).map((series) => series.split(":")[1]),
    [`${2 * (5 + 6 + 900) + 105}`, "3"],
  );
  assert.ok(!simulation.machine.maps.has(spareMapName("@h")));
  assert.equal(entries(simulation, spareMapName("@l")), 3);
  assert.deepEqual(simulation.losses(), {});
});

test("without a spare cell the update is lost, and counted by the reason that there was no chunk", () => {
  const simulation = new Simulation("kprobe:vfs_read { @[arg0] = lhist(arg1, 0, 1000, 1); }");
  const fire = (key: bigint, value: bigint) => simulation.fire({ registers: { arg0: key, arg1: value } });
  fire(1n, 1n);
  hash(simulation, spareMapName("@")).refusal = ENOMEM;
  for (const [refusal, times] of [
    [ENOMEM, 2],
    [EBUSY, 3],
    [7n, 4],
  ] as const) {
    hash(simulation, chunkMapName("@")).refusal = refusal;
    for (let i = 0; i < times; i++) fire(2n, 1n);
  }
  fire(1n, 2n);
  assert.deepEqual(simulation.map("@"), { 1: "2:1 3:1", 2: "" });
  assert.deepEqual(simulation.losses(), { "@ map-memory": 2n, "@ map-busy": 3n, "@": 4n });
});

test("updates of other maps are counted by their reasons", () => {
  const simulation = new Simulation(
    "kprobe:vfs_read { @set[arg0] = 1; @text[arg0] = comm; @inc[arg0]++; @count[arg0] = count(); @hist[arg0] = lhist(1, 0, 10, 1); }",
  );
  const fire = (key: bigint) => simulation.fire({ registers: { arg0: key } });
  const maps = ["@set", "@text", "@inc", "@count", "@hist"];
  fire(1n);
  for (const [refusal, times] of [
    [ENOMEM, 2],
    [EBUSY, 3],
    [35n, 4], // EDEADLK
    [7n, 5],
  ] as const) {
    for (const map of maps) hash(simulation, map).refusal = refusal;
    for (let i = 0; i < times; i++) fire(2n);
  }
  fire(1n);
  const expected = maps.flatMap((map) => [
    [map, 5n],
    [`${map} map-memory`, 2n],
    [`${map} map-busy`, 7n],
  ]);
  assert.deepEqual(simulation.losses(), Object.fromEntries(expected));
});

test("delete removes the cells of a key wherever they are, and those of no other", () => {
  deleteOne("hist(arg1)", ["3:4 52:4", "2:1"]);
  const spare = deleteOne("lhist(arg1, 0, 1000, 1)", ["4:4 1001:4", "2:1"]);
  assert.equal(entries(spare, spareMapName("@")), 4);
});

function deleteOne(value: string, [others, again]: readonly [string, string]): Simulation {
  const simulation = new Simulation(
    `kprobe:vfs_read { @[arg0, comm] = ${value}; }
     kprobe:vfs_write { print(delete(@[arg0, comm])); print((len(@), has_key(@, (arg0, comm)))); }`,
    { cpus: 2 },
  );
  const fire = (key: bigint, value: bigint) => simulation.fire({ registers: { arg0: key, arg1: value } });
  for (const refusal of [ENOMEM, 0n]) {
    hash(simulation, chunkMapName("@")).refusal = refusal;
    for (const cpu of [0, 1]) {
      simulation.machine.environment.cpu = cpu;
      for (const key of [1n, 2n]) for (const value of [3n, 1n << 50n]) fire(key, value);
    }
  }
  assert.equal(entries(simulation, chunkMapName("@")), 8);
  simulation.fire({ registers: { arg0: 1n } }, 1).fire({ registers: { arg0: 1n } }, 1);
  assert.deepEqual(simulation.said, ["true", "(1,false)", "false", "(1,false)"]);
  assert.deepEqual(simulation.map("@"), { "2,test": others });
  assert.equal(entries(simulation, chunkMapName("@")), 4);
  fire(1n, 1n);
  assert.deepEqual(simulation.map("@"), { "1,test": again, "2,test": others });
  return simulation;
}

test("a cell that is made while another processor deletes its key does not stay without it", () => {
  for (const [value, refusal] of [
    ["hist(arg1)", 0n],
    ["hist(arg1)", ENOMEM],
    ["lhist(arg1, -3, 997, 1)", 0n],
    ["lhist(arg1, -3, 997, 1)", ENOMEM],
  ] as const) {
    const isSpare = value.startsWith("l") && refusal !== 0n;
    let armed = true;
    const update = simHelpers.get("map_update_elem");
    assert.ok(update);
    const simulation = new Simulation(`kprobe:vfs_read { @[arg0] = ${value}; }`, {
      helpers: {
        map_update_elem: (machine, args) => {
          const map = machine.mapAt(args[0] ?? 0n);
          const piece = isSpare ? spareMapName("@") : chunkMapName("@");
          if (armed && map.spec.name === piece) {
            armed = false;
            const keys = machine.map("@");
            for (const { key } of keys.entries()) keys.delete(key);
          }
          return update(machine, args);
        },
      },
    });
    hash(simulation, chunkMapName("@")).refusal = refusal;
    simulation.fire({ registers: { arg0: 1n, arg1: 1n } });
    assert.deepEqual(simulation.map("@"), {});
    assert.equal(entries(simulation, chunkMapName("@")), 0);
    if (isSpare) assert.equal(entries(simulation, spareMapName("@")), 0);
    simulation.fire({ registers: { arg0: 1n, arg1: 9n } });
    assert.deepEqual(simulation.map("@"), { 1: value.startsWith("l") ? "13:1" : "5:1" });
    assert.deepEqual(simulation.losses(), {});
  }
});

test("-k tells of an update that is lost, and of no other that the kernel refuses", () => {
  const simulation = new Simulation("kprobe:vfs_read { @[arg0] = lhist(1, 0, 1000, 1); @n[arg0]++; }", {
    checkHelpers: true,
  });
  hash(simulation, chunkMapName("@")).refusal = ENOMEM;
  simulation.fire({ registers: { arg0: 1n } });
  const events = (): readonly TraceEvent[] => simulation.events;
  assert.deepEqual(events(), []);
  for (const map of [spareMapName("@"), "@n"]) hash(simulation, map).refusal = ENOMEM;
  simulation.fire({ registers: { arg0: 2n } });
  assert.deepEqual(
    events().map((event) => (event.kind === "helper-error" ? [event.helper, event.retcode] : event.kind)),
    [
      ["map_update_elem", -12],
      ["map_update_elem", -12],
    ],
  );
});

test("stacks that are not kept are counted by their reasons", () => {
  const simulation = new Simulation("kprobe:vfs_read { @[kstack] = count(); }", {
    helpers: { get_stackid: () => -17n, get_stack: () => 16n },
  });
  simulation.fire();
  const kept = hash(simulation, overflowMapName(127));
  for (const { key } of kept.entries()) kept.delete(key);
  for (const [refusal, times] of [
    [ENOMEM, 1],
    [EBUSY, 2],
    [7n, 3],
  ] as const) {
    kept.refusal = refusal;
    for (let i = 0; i < times; i++) simulation.fire();
  }
  assert.deepEqual(simulation.losses(), { "kept-memory": 1n, "kept-busy": 2n, "stack-collision": 3n });
});
