import assert from "node:assert/strict";
import { type Arch, machines } from "../../src/abi/registers.js";
import { Interpreter, type InterpreterOptions } from "../../src/bpf/interpret.js";
import { SimRing } from "../../src/bpf/sim-maps.js";
import type { Host } from "../../src/events/host.js";
import { handlerOf } from "../../src/events/record-handlers.js";
import type { ProgramVariant } from "../../src/language/probe.js";
import { decodeAggregate } from "../../src/wire/aggregate.js";
import { chunkMapName, Pieces, spareMapName } from "../../src/wire/chunks.js";
import { decoderFor } from "../../src/wire/decode.js";
import type { TraceEvent } from "../../src/wire/event.js";
import { isAggregate, layoutOf } from "../../src/wire/layout.js";
import {
  firstLossSlot,
  lossCounters,
  type MapStorage,
  mapLosses,
  storageOf,
  systemMaps,
} from "../../src/wire/map-storage.js";
import type { UserMap } from "../../src/wire/user-map.js";
import type { MapSnapshot, Value } from "../../src/wire/value.js";
import { type Compiled, compileScript, type ScriptOptions } from "./compile-script.js";

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
/** More than the fixture's task_struct. */
const taskSize = 16384;

/** What an event finds: registers by name, or the words of a raw tracepoint, or the bytes of a tracefs record. */
export interface EventContext {
  readonly registers?: Readonly<Record<string, bigint>>;
  readonly words?: readonly bigint[];
  readonly record?: Uint8Array;
}

export interface SimulationOptions extends ScriptOptions {
  readonly cpus?: number;
  readonly environment?: InterpreterOptions["environment"];
  readonly stepLimit?: number;
  readonly helpers?: InterpreterOptions["helpers"];
  /** The script as it was compiled before, with the same options. */
  readonly compiled?: Compiled;
}

/**
 * A compiled script in the interpreter: events are fired by hand, records go through their handlers to {@link events}, maps
 * are read as the tracer reads them.
 */
export class Simulation {
  readonly compiled: Compiled;
  private readonly arch: Arch;
  readonly machine: Interpreter;
  readonly events: TraceEvent[] = [];
  /** Bytes of the current task_struct. */
  readonly task = new Uint8Array(taskSize);
  exitCode: number | undefined;
  private readonly host: Host;

  constructor(script: string, options: SimulationOptions = {}) {
    const { cpus = 2, environment, stepLimit, helpers, compiled, ...rest } = options;
    this.compiled = compiled ?? compileScript(script, rest);
    this.arch = rest.kernel?.arch ?? "x86_64";
    const { maps } = this.compiled.object;
    this.machine = new Interpreter({
      maps,
      cpus,
      ...(stepLimit === undefined ? {} : { stepLimit }),
      ...(helpers === undefined ? {} : { helpers }),
    });
    Object.assign(this.machine.environment, environment);
    this.machine.environment.task = this.machine.memory.map("task", "kernel", this.task).start;
    this.host = this.makeHost();
  }

  /** Puts bytes or NUL-terminated text into simulated memory; answers the address. */
  put(space: "kernel" | "user", content: string | Uint8Array): bigint {
    const bytes = typeof content === "string" ? new TextEncoder().encode(`${content}\0`) : content;
    return this.machine.memory.map("data", space, bytes.slice()).start;
  }

  /** A member of the current task, by its path: a number of its size, or text. */
  setTask(path: string, value: bigint | string): void {
    let type = this.taskType();
    let bits = 0;
    for (const name of path.split(".")) {
      const member = type?.kind === "record" ? type.members().find((m) => m.name === name) : undefined;
      assert.ok(member, `no member ${name}`);
      bits += member.bitOffset;
      type = member.type;
    }
    const at = bits >> 3;
    if (typeof value === "string") this.task.set(new TextEncoder().encode(`${value}\0`), at);
    else if (type?.kind === "int" && type.size === 4)
      viewOf(this.task).setInt32(at, Number(BigInt.asIntN(32, value)), true);
    else viewOf(this.task).setBigUint64(at, BigInt.asUintN(64, value), true);
  }

  private taskType() {
    const { type } = compileScript("BEGIN { $t = curtask; }").script.programs[0]?.variables.get("$t") ?? {};
    return type?.kind === "pointer" ? type.to : undefined;
  }

  /** Runs program `index` once, then hands its records to their handlers. */
  fire(context: EventContext = {}, index = 0): this {
    this.run(context, index);
    this.drain();
    return this;
  }

  /** Runs program `index` once and leaves its records in the ring. */
  run(context: EventContext = {}, index = 0): void {
    const program = this.compiled.object.programs[index];
    const variant = this.compiled.script.programs[index]?.variant;
    assert.ok(program !== undefined && variant !== undefined, `no program ${index}`);
    const result = this.machine.run(program, this.contextFor(variant, context));
    assert.equal(result, 0n, "a program answers 0");
    this.checkLeftOvers();
  }

  /** Nothing may stay reserved: neither a record of the ring nor scratch memory. */
  private checkLeftOvers(): void {
    for (const ring of [systemMaps.events, systemMaps.control].map((name) => this.machine.maps.get(name)))
      if (ring instanceof SimRing) assert.equal(ring.open, 0, "a record is neither submitted nor discarded");
    const scratch = [systemMaps.scratch, systemMaps.largeScratch].map((name) => this.machine.maps.get(name));
    for (const { values } of scratch.flatMap((map) => map?.entries() ?? [])) {
      for (const value of values)
        assert.equal(viewOf(value).getBigUint64(0, true), 0n, "scratch memory is not released");
    }
  }

  private contextFor(variant: ProgramVariant, { registers = {}, words = [], record }: EventContext): Uint8Array {
    switch (variant.context.kind) {
      case "registers":
        return registerBytes(registers, this.arch);
      case "syscall": {
        const regs = this.machine.memory.map("pt_regs", "kernel", registerBytes(registers, this.arch)).start;
        return wordBytes([regs, ...words]);
      }
      case "record":
        return record ?? new Uint8Array(256);
      default:
        return wordBytes(words);
    }
  }

  /** Hands the records of the ring to their handlers. */
  drain(): void {
    if (!this.machine.maps.has(systemMaps.events)) return;
    const control = this.machine.maps.has(systemMaps.control) ? this.machine.takeRecords(systemMaps.control) : [];
    const records = [
      ...control.map(({ bytes }) => ({ bytes, at: viewOf(bytes).getUint32(4, true) })),
      ...this.machine.takeRecords(systemMaps.events).map(({ bytes, start }) => ({ bytes, at: Number(start) })),
    ];
    // Stable: what has user space act stands in front of the data that came behind it.
    for (const { bytes: record } of records.sort((a, b) => a.at - b.at)) {
      const view = viewOf(record);
      const spec = this.compiled.records[view.getUint32(0, true)];
      assert.ok(spec, "a record without a description");
      // Frames of stacks take as many bytes as they are.
      assert.ok(record.length <= spec.size);
      handlerOf(spec)(this.host, view, 0);
    }
  }

  /** All that was printed, as text. */
  get text(): string {
    return this.said.join("");
  }

  /** What was printed, each event in a few characters. */
  get said(): readonly string[] {
    return this.events.map((event) => {
      switch (event.kind) {
        case "value":
          return show(event.value);
        case "entry":
          return `${event.name}[${event.key.map(show).join(",")}]=${show(event.value)}`;
        case "map":
          return `${event.map.name} top=${event.map.top} div=${event.map.div}`;
        case "warning":
          return event.message;
        default:
          return "text" in event ? event.text : event.kind;
      }
    });
  }

  /** A map as `key -> value`, keys and values as short text, sorted. */
  map(name: string): Readonly<Record<string, string>> {
    const shown = this.snapshot(name).entries.map(({ key, value }) => [key.map(show).join(","), show(value)] as const);
    return Object.fromEntries(shown.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  }

  /** The value of a map without keys; undefined if nothing was stored. */
  scalar(name: string): string | undefined {
    return this.map(name)[""];
  }

  /** The integer of a map without keys, as it is decoded. */
  number(name: string): bigint {
    const value = this.snapshot(name).entries[0]?.value;
    assert.ok(value !== undefined && "value" in value && typeof value.value === "bigint", `${name} holds no number`);
    return value.value;
  }

  snapshot(name: string): MapSnapshot {
    const map = this.compiled.maps.get(name);
    assert.ok(map, `no map ${name}`);
    const storage = storageOf(map);
    const { offsets } = layoutOf(map.key ?? []);
    const keys = (map.key ?? []).map((type, i) => ({ decode: decoderFor(type), offset: offsets[i] ?? 0 }));
    const entries = this.machine
      .map(name)
      .entries()
      .filter(({ values }) => values.some((value) => isSet(value, storage.flagOffset)))
      .map(({ key, values }) => ({
        key: keys.map(({ decode, offset }) => decode(viewOf(key), offset, this.host)),
        value: this.decodeValue(map, storage, key, values),
      }));
    return { name, keyed: map.key !== undefined, entries };
  }

  private decodeValue(map: UserMap, storage: MapStorage, key: Uint8Array, values: readonly Uint8Array[]): Value {
    const { chunks: layout, valueOffset: offset } = storage;
    if (layout !== undefined && isAggregate(map.value)) {
      const pieces = (name: string) =>
        (this.machine.maps.get(name)?.entries() ?? []).map((piece) => ({
          key: piece.key,
          value: piece.values[0] ?? new Uint8Array(),
        }));
      const all = new Pieces(layout, pieces(chunkMapName(map.name)), pieces(spareMapName(map.name)));
      return decodeAggregate(map.value, all.partsOf(key, values[0] ?? new Uint8Array()).map(viewOf));
    }
    if (isAggregate(map.value)) return decodeAggregate(map.value, values.map(viewOf));
    return decoderFor(map.value)(viewOf(values[0] ?? new Uint8Array()), offset, this.host);
  }

  /** What was lost: counters by name, those of maps by the map's (and the reason, if it was not full); zeros left out. */
  losses(): Readonly<Record<string, bigint>> {
    const [entry] = this.machine.map(systemMaps.loss).entries();
    const view = viewOf(entry?.values[0] ?? new Uint8Array());
    const ofMap = (map: string) => mapLosses.map((reason) => (reason === "map-full" ? map : `${map} ${reason}`));
    const names = [...lossCounters, ...[...this.compiled.script.maps.keys()].flatMap(ofMap)];
    return Object.fromEntries(
      names
        .map((name, i) => [name, view.getBigUint64(8 * (firstLossSlot + i), true)] as const)
        .filter(([, count]) => count !== 0n),
    );
  }

  private makeHost(): Host {
    const { script, texts } = this.compiled;
    return {
      emit: (event) => this.events.push(event),
      printMap: (map, limits) => {
        this.events.push({ kind: "map", map: { ...this.snapshot(map), ...limits } });
        return undefined;
      },
      entry: (name, key) => this.entry(name, key),
      takeMap: async (map, limits, how) => {
        this.events.push({ kind: "map", map: { ...this.snapshot(map), ...limits } });
        this.events.push({ kind: "warning", message: `${how} ${map}` });
      },
      emptyMap: async (map, how) => {
        this.events.push({ kind: "warning", message: `${how} ${map}` });
      },
      exit: (code) => {
        this.exitCode = code;
      },
      pendingStack: () => this.events.push({ kind: "warning", message: "a pending stack" }),
      formatNow: (format) => `<now ${format}>`,
      runCommand: async (command) => {
        this.events.push({ kind: "system", text: command });
      },
      wantTables: () => this.events.push({ kind: "warning", message: "tables" }),
      writePacket: (path, nanoseconds, bytes) =>
        this.events.push({ kind: "warning", message: `${path} ${nanoseconds} ${Buffer.from(bytes).toString("hex")}` }),
      readFile: async (path) => {
        this.events.push({ kind: "cat", text: path });
      },
      cut: { length: this.compiled.config.max_strlen, trailer: this.compiled.config.str_trunc_trailer },
      kernelSymbol: (address) => ({ value: `<ksym ${address.toString(16)}>` }),
      userSymbol: (pid, address) => ({ value: `<usym ${pid} ${address.toString(16)}>` }),
      userName: (uid) => `<user ${uid}>`,
      probeName: (id) => script.targets[id]?.name ?? `<probe ${id}>`,
      functionName: (id) => script.targets[id]?.func ?? `<func ${id}>`,
      formatTime: (nanoseconds, format, clock) =>
        `<${texts[format]} ${nanoseconds}${clock === "monotonic" ? "" : ` ${clock}`}>`,
      cgroupPath: (id, pattern) => `<cgroup ${id} ${pattern}>`,
      stack: (id, pid, { user, depth }) => ({
        frames: [{ address: id, symbol: `${user ? "user" : "kernel"} ${pid} ${depth}`, offset: 0n, module: undefined }],
      }),
      frames: (view, at, count, pid, { user, mode }) => ({
        frames: Array.from({ length: count }, (_, i) => {
          const address = view.getBigUint64(at + (mode === "build_id" ? 32 : 8) * i, true);
          return { address, symbol: `${user ? "user" : "kernel"} ${pid}`, offset: 0n, module: undefined };
        }),
      }),
    };
  }

  private entry(name: string, key: Uint8Array): Value | undefined {
    const map = this.compiled.maps.get(name);
    assert.ok(map);
    const storage = storageOf(map);
    const wanted = storage.kind === "array" ? new Uint8Array(4) : key.slice(0, storage.keySize);
    const found = this.machine
      .map(name)
      .entries()
      .find((entry) => Buffer.compare(entry.key, wanted) === 0);
    if (found === undefined || !found.values.some((value) => isSet(value, storage.flagOffset))) return undefined;
    return this.decodeValue(map, storage, wanted, found.values);
  }
}

const isSet = (value: Uint8Array, flagOffset: number | undefined): boolean =>
  flagOffset === undefined || viewOf(value).getBigUint64(flagOffset, true) !== 0n;

function registerBytes(registers: Readonly<Record<string, bigint>>, arch: Arch): Uint8Array {
  const machine = machines[arch];
  const bytes = new Uint8Array(machine.ptRegsSize);
  for (const [name, value] of Object.entries(registers)) {
    const argument = /^arg([0-5])$/.exec(name)?.[1];
    // What has no name is given by its offset.
    const known = machine.registers[name] ?? (/^\d+$/.test(name) ? Number(name) : undefined);
    const offset = argument === undefined ? known : machine.functionArguments[Number(argument)];
    assert.ok(offset !== undefined, `no register ${name}`);
    viewOf(bytes).setBigUint64(offset, BigInt.asUintN(64, value), true);
  }
  return bytes;
}

function wordBytes(words: readonly bigint[]): Uint8Array {
  // Programs may read more arguments than the test gives.
  const bytes = new Uint8Array(8 * Math.max(12, words.length));
  for (const [i, word] of words.entries()) viewOf(bytes).setBigUint64(8 * i, BigInt.asUintN(64, word), true);
  return bytes;
}

/** A value in a few characters. */
export function show(value: Value): string {
  switch (value.kind) {
    case "tuple":
    case "array":
      return `(${value.items.map(show).join(",")})`;
    case "record":
      return `{${value.fields.map((field) => `${field.name}=${show(field.value)}`).join(",")}}`;
    case "enum":
      return value.name ?? `${value.value}`;
    case "buffer":
      return Buffer.from(value.bytes).toString("hex");
    case "stack":
      return value.frames.map((frame) => frame.symbol).join(";");
    case "avg":
      return `${value.average}`;
    case "stats":
      return `${value.count}/${value.average}/${value.total}`;
    case "hist":
    case "lhist":
      return [...value.buckets].map(([index, count]) => `${index}:${count}`).join(" ");
    case "none":
      return "none";
    case "tseries":
      return [...value.points].map(([interval, point]) => `${interval}:${point}`).join(" ");
    default:
      return `${value.value}`;
  }
}
