// Where the mapping of an address is looked for, run by the interpreter: among the first, behind them, and nowhere.
import assert from "node:assert/strict";
import { test } from "node:test";
import { BPF_MAP_TYPE_ARRAY } from "../abi/bpf.js";
import { emitFunctions } from "../bpf/emit.js";
import { Interpreter } from "../bpf/interpret.js";
import { FunctionBuilder } from "../ir/builder.js";
import { findMapping, lowerRestOfMappings } from "../language/builtins/unwind-mapping.js";
import { foundMapping, shared } from "../language/builtins/unwind-memory.js";
import { mappingLayout, mostMappings, processLayout, processSize } from "../wire/unwind.js";

const data = { scratch: 0, process: 512, address: 512 + processSize, size: 512 + processSize + 8 };

function program() {
  const b = new FunctionBuilder("find", "program");
  const [scratch, process] = [b.mapValue("data", data.scratch), b.mapValue("data", data.process)];
  const sharedAt = b.slotAddr(b.slot(shared.size, 8, "shared"));
  b.store(8, sharedAt, shared.scratch, scratch);
  b.store(8, sharedAt, shared.process, process);
  const address = b.load(8, false, b.mapValue("data", data.address), 0);
  findMapping(b, { address, scratch, process, sharedAt, functions: { lookup: "lookup", rest: "rest" } });
  b.ret(b.load(8, false, scratch, foundMapping.start));
  const lookup = new FunctionBuilder("lookup", "subprogram");
  lookup.ret(lookup.const(0));
  const rest = new FunctionBuilder("rest", "subprogram");
  lowerRestOfMappings(rest);
  return emitFunctions([b.finish(), lookup.finish(), rest.finish()], { cpuV4: true, cookie: "helper" });
}

const base = 0x7f00_0000_0000n;

/** What is found of `count` mappings of a page each with a page between them, and whether the kernel was asked. */
function find(count: number, address: bigint): readonly [start: bigint, asked: boolean] {
  const initial = new Uint8Array(data.size);
  const view = new DataView(initial.buffer);
  view.setBigUint64(data.process + processLayout.count, BigInt(count), true);
  for (let i = 0; i < Math.min(count, mostMappings); i++) {
    const at = data.process + processLayout.mappings + mappingLayout.size * i;
    view.setBigUint64(at + mappingLayout.start, base + 0x2000n * BigInt(i), true);
    view.setBigUint64(at + mappingLayout.end, base + 0x2000n * BigInt(i) + 0x1000n, true);
  }
  view.setBigUint64(data.address, address, true);
  let asked = false;
  const machine = new Interpreter({
    maps: [
      { name: "data", type: BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: data.size, maxEntries: 1, flags: 0, initial },
    ],
    helpers: {
      find_vma: () => {
        asked = true;
        return 0n;
      },
    },
  });
  return [machine.run(program()), asked];
}

test("a mapping is found wherever it stands", () => {
  for (const [count, index] of [
    [1, 0],
    [64, 63],
    [65, 64],
    [200, 130],
    [256, 255],
    // There was no room for the last.
    [300, 255],
  ] as const) {
    const start = base + 0x2000n * BigInt(index);
    for (const address of [start, start + 0xfffn]) assert.deepEqual(find(count, address), [start, false], `${index}`);
  }
});

test("what none of them holds the kernel is asked for", () => {
  for (const [count, address] of [
    [0, base],
    [64, base + 0x1000n],
    [64, base + 0x2000n * 64n],
    [200, base - 1n],
    [200, base + 0x2000n * 130n + 0x1000n],
    [300, base + 0x2000n * 256n],
  ] as const)
    assert.deepEqual(find(count, address), [0n, true], `${address - base} of ${count}`);
});
