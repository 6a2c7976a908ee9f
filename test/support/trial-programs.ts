import { closeSync, openSync, readSync } from "node:fs";
import { BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_RINGBUF } from "../../src/abi/bpf.js";
import { zeroed } from "../../src/abi/struct.js";
import type { MapSpec } from "../../src/bpf/object.js";
import type { LoadedObject } from "../../src/load/loaded-object.js";
import { readValue } from "../../src/load/map-reader.js";
import type { Sys } from "../../src/sys/sys.js";
import { Assembler } from "./assemble.js";

export const counters: MapSpec = {
  name: "counters",
  type: BPF_MAP_TYPE_ARRAY,
  keySize: 4,
  valueSize: 64,
  maxEntries: 1,
  flags: 0,
};

export const ring = (size: number): MapSpec => ({
  name: "ring",
  type: BPF_MAP_TYPE_RINGBUF,
  keySize: 0,
  valueSize: 0,
  maxEntries: size,
  flags: 0,
});

/** Goes to `out` unless this process runs; r1 is kept in r6. */
export const onlyMe = (code: Assembler): Assembler =>
  code.mov(6, 1).call("get_current_pid_tgid").rshImm(0, 32).jneImm(0, process.pid, "out");

export const addOne = (code: Assembler, offset: number): Assembler =>
  code.loadMapValue(1, "counters", offset).movImm(2, 1).atomicAdd(1, 0, 2);

export const end = (code: Assembler): Assembler => code.label("out").movImm(0, 0).exit();

/** Counts at `counters + offset` how often this process comes by. */
export const countMe = (offset: number): Assembler => end(addOne(onlyMe(new Assembler()), offset));

/** For sys_enter: one record of 16 bytes (77, 0) per system call `number` of this process; counters + 0 counts the lost. */
export function recordPerSyscall(number: number): Assembler {
  const code = onlyMe(new Assembler()).load(7, 6, 8).jneImm(7, number, "out");
  code.loadMap(1, "ring").movImm(2, 16).movImm(3, 0).call("ringbuf_reserve").jneImm(0, 0, "write");
  addOne(code, 0).ja("out");
  code.label("write").movImm(1, 77).store(0, 0, 1).movImm(1, 0).store(0, 8, 1);
  return end(code.mov(1, 0).movImm(2, 0).call("ringbuf_submit"));
}

export function counter(sys: Sys, loaded: LoadedObject, offset: number): number {
  const value = readValue(sys, loaded.map("counters"), zeroed(4));
  if (value === undefined) throw new Error("no counters");
  return Number(new DataView(value.buffer).getBigUint64(offset, true));
}

/** Makes a read(2) system call each time. */
export function readZeros(times: number): void {
  const fd = openSync("/dev/zero", "r");
  const byte = Buffer.alloc(1);
  for (let i = 0; i < times; i++) readSync(fd, byte, 0, 1, null);
  closeSync(fd);
}

/** Makes a kill(2) system call each time, of which Node makes none by itself. */
export function knock(sys: Sys, times: number): void {
  for (let i = 0; i < times; i++) sys.call("kill", process.pid, 0);
}
