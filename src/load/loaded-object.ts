import {
  BPF_F_SLEEPABLE,
  BPF_MAP_TYPE_LRU_PERCPU_HASH,
  BPF_MAP_TYPE_PERCPU_ARRAY,
  BPF_MAP_TYPE_PERCPU_HASH,
  progTypes,
} from "../abi/bpf.js";
import { BPF_CALL, BPF_JMP, BPF_PSEUDO_MAP_FD, BPF_PSEUDO_MAP_VALUE } from "../abi/bpf-insn.js";
import { EPERM } from "../abi/errno.js";
import { helpers } from "../abi/helpers.js";
import { zeroed } from "../abi/struct.js";
import { Disposables } from "../base/disposable.js";
import { BeetraceError } from "../base/errors.js";
import type { BpfObject, MapSpec, ProgramSpec } from "../bpf/object.js";
import { functionsBtf } from "../formats/btf-writer.js";
import type { TracedFunction } from "../language/attach-port.js";
import { kernelModule } from "../language/kernel-functions.js";
import type { KernelView } from "../language/kernel-view.js";
import type { Fd } from "../sys/fd.js";
import { mapCreate, mapFreeze, mapUpdate } from "../sys/map-calls.js";
import { openModuleBtf, openProgram } from "../sys/object-list.js";
import { btfLoad, type NewProgram, ProgLoadError, progLoad } from "../sys/prog-calls.js";
import type { Sys } from "../sys/sys.js";
import { SyscallError } from "../sys/syscall-error.js";
import { waitLayout, waitMaps } from "../wire/map-storage.js";
import { VerifierError } from "./verifier-error.js";

/** A map in the kernel. */
export interface LoadedMap {
  readonly spec: MapSpec;
  readonly fd: Fd;
  /** One value of each possible CPU, each in a multiple of 8 bytes, where the map is per CPU; otherwise 0. */
  readonly cpus: number;
}

/** The kernel has no type or function of that name in its BTF. */
export class AttachTargetError extends BeetraceError {}

/**
 * Makes the maps and loads the programs of an object. Programs whose cookie is a constant in their code are loaded when
 * {@link LoadedObject.program} is asked for them, once per cookie, and those on functions by {@link LoadedObject.programFor}. Throws VerifierError, ProgLoadError, AttachTargetError or
 * SyscallError, and leaves nothing behind then.
 */
export function loadObject(sys: Sys, object: BpfObject, kernel: KernelView): LoadedObject {
  const loaded = new LoadedObject(sys, object, kernel);
  try {
    for (const map of object.maps) loaded.createMap(map);
    if (object.maps.some(({ name }) => name === waitMaps.words)) writeWaitWords(sys, loaded);
    for (const program of object.programs)
      if (!hasCookieConstant(program) && program.loadedForEach !== true) loaded.program(program.name, 0n);
    return loaded;
  } catch (error) {
    loaded[Symbol.dispose]();
    throw error;
  }
}

/** Programs name maps by their descriptors where they call bpf(2) themselves. */
function writeWaitWords(sys: Sys, loaded: LoadedObject): void {
  const words = zeroed(waitLayout.size);
  const view = new DataView(words.buffer);
  view.setUint32(waitLayout.outer, loaded.map(waitMaps.outer).fd.raw, true);
  view.setUint32(waitLayout.inner, loaded.map(waitMaps.inner).fd.raw, true);
  mapUpdate(sys, loaded.map(waitMaps.words).fd, zeroed(4), words);
}

const hasCookieConstant = (program: ProgramSpec): boolean =>
  program.relocations.some((relocation) => relocation.kind === "cookie");

const attachCookieHelper = helpers.get("get_attach_cookie")?.id ?? 0;

/** Looks at every 8 bytes as an instruction; the second half of a 16-byte load has code 0 and is none of these. */
function callsHelper(code: Uint8Array, helper: number): boolean {
  const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  for (let at = 0; at + 8 <= code.length; at += 8) {
    const isHelperCall = view.getUint8(at) === (BPF_JMP | BPF_CALL) && view.getUint8(at + 1) >>> 4 === 0;
    if (isHelperCall && view.getInt32(at + 4, true) === helper) return true;
  }
  return false;
}

/** Owns the maps and programs in the kernel; links keep programs alive by themselves. */
export class LoadedObject implements Disposable {
  readonly object: BpfObject;
  private readonly sys: Sys;
  private readonly kernel: KernelView;
  private readonly owned = new Disposables();
  private readonly maps = new Map<string, LoadedMap>();
  private readonly specs = new Map<string, ProgramSpec>();
  /** Programs and BTF of modules that programs are loaded for. */
  private readonly attachedTo = new Map<string, Fd>();
  private readonly declared = new Map<string, NonNullable<NewProgram["functions"]>>();
  /** By name and cookie. */
  private readonly programs = new Map<string, Fd>();

  constructor(sys: Sys, object: BpfObject, kernel: KernelView) {
    this.sys = sys;
    this.object = object;
    this.kernel = kernel;
    for (const program of object.programs) this.specs.set(program.name, program);
  }

  map(name: string): LoadedMap {
    const map = this.maps.get(name);
    if (map === undefined) throw new Error(`internal: the object has no map ${name}`);
    return map;
  }

  spec(program: string): ProgramSpec {
    const spec = this.specs.get(program);
    if (spec === undefined) throw new Error(`internal: the object has no program ${program}`);
    return spec;
  }

  /**
   * Where a program reads its attach cookie: from a constant in its code, from the link that attaches it, or not at all.
   * A cookie that nobody reads is not given to the kernel: older ones refuse it for some links.
   */
  cookieFrom(program: string): "constant" | "link" | "nowhere" {
    const spec = this.spec(program);
    if (hasCookieConstant(spec)) return "constant";
    return callsHelper(spec.code, attachCookieHelper) ? "link" : "nowhere";
  }

  /** The loaded program; `cookie` matters only where {@link cookieFrom} says `constant`. */
  program(name: string, cookie: bigint): Fd {
    const spec = this.spec(name);
    const key = hasCookieConstant(spec) ? `${name} ${cookie}` : name;
    const known = this.programs.get(key);
    if (known !== undefined) return known;
    const fd = this.owned.use(this.load(spec, cookie));
    this.programs.set(key, fd);
    return fd;
  }

  /** The program, loaded for a function that it is to be attached to: a copy for each. */
  programFor(name: string, target: TracedFunction, cookie: bigint): Fd {
    const fd = this.owned.use(this.load(this.spec(name), cookie, target));
    this.programs.set(`${name} ${cookie}`, fd);
    return fd;
  }

  /** Every program that is loaded, copies included, e.g. to read its statistics. */
  *loadedPrograms(): Generator<{ readonly name: string; readonly fd: Fd }> {
    for (const [key, fd] of this.programs) yield { name: key.split(" ", 1)[0] ?? key, fd };
  }

  createMap(spec: MapSpec): void {
    using inner =
      spec.inner === undefined
        ? undefined
        : mapCreate(this.sys, { ...spec.inner, name: kernelName(spec.name), maxEntries: 1 });
    const { type, keySize, valueSize, maxEntries, flags } = spec;
    const own = { name: kernelName(spec.name), type, keySize, valueSize, maxEntries, flags };
    const fd = this.owned.use(mapCreate(this.sys, inner === undefined ? own : { ...own, inner }));
    const map: LoadedMap = { spec, fd, cpus: isPerCpu(spec.type) ? this.kernel.possibleCpus : 0 };
    this.maps.set(spec.name, map);
    if (spec.initial !== undefined) mapUpdate(this.sys, fd, zeroed(4), initialValue(map, spec.initial));
    if (spec.frozen === true) mapFreeze(this.sys, fd);
  }

  private load(spec: ProgramSpec, cookie: bigint, target?: TracedFunction): Fd {
    const code = relocate(spec, cookie, (map) => this.map(map).fd.raw);
    try {
      const functions = spec.functions.length === 0 ? undefined : this.declareFunctions(spec);
      return progLoad(this.sys, {
        name: kernelName(spec.name),
        type: progTypes[spec.type],
        ...(this.object.license === undefined ? {} : { license: this.object.license }),
        code,
        expectedAttachType: spec.expectedAttachType,
        ...(spec.type === "syscall" ? { flags: BPF_F_SLEEPABLE } : {}),
        attachBtfId: target?.typeId ?? this.attachBtfId(spec),
        attachTo: target === undefined ? undefined : this.attachTo(target),
        functions,
      });
    } catch (error) {
      if (!(error instanceof ProgLoadError)) throw error;
      if (error.log !== "") throw new VerifierError(spec, error.errno, error.log, error);
      if (error.errno !== EPERM) throw error;
      throw new SyscallError(error.call, error.errno, {
        cause: error,
        hint: "loading BPF programs needs root, or the capabilities CAP_BPF and CAP_PERFMON",
      });
    }
  }

  /**
   * The functions of a program by their types: callbacks need them, and other programs, to attach to this one
   * (`fentry:bpf:NAME`). Made once for all copies.
   */
  private declareFunctions(spec: ProgramSpec) {
    const known = this.declared.get(spec.name);
    if (known !== undefined) return known;
    const { bytes, ids } = functionsBtf(spec.functions);
    const starts = spec.functions.map(({ insn }, i) => ({ insn, typeId: ids[i] ?? 0 }));
    const declared = { btf: this.owned.use(btfLoad(this.sys, bytes)), starts };
    this.declared.set(spec.name, declared);
    return declared;
  }

  /** What the number of the function's type is counted in, but for the kernel's own types. */
  private attachTo(target: TracedFunction): Fd | undefined {
    if (target.kind === "kernel" && target.module === kernelModule) return undefined;
    const key = target.kind === "bpf" ? `program ${target.program}` : `module ${target.module}`;
    const known = this.attachedTo.get(key);
    if (known !== undefined) return known;
    const fd = target.kind === "bpf" ? openProgram(this.sys, target.program) : openModuleBtf(this.sys, target.module);
    if (fd === undefined) throw new AttachTargetError(`${key} is not there any more, or has no type information`);
    this.attachedTo.set(key, this.owned.use(fd));
    return fd;
  }

  private attachBtfId(spec: ProgramSpec): number {
    if (spec.attachBtf === undefined) return 0;
    const btf = this.kernel.btf();
    if ("missing" in btf) throw new AttachTargetError(`${spec.name} needs the kernel's BTF: ${btf.missing}`);
    const id = btf.find(spec.attachBtf.name, spec.attachBtf.kind);
    if (id === undefined) {
      throw new AttachTargetError(`the kernel's BTF has no ${spec.attachBtf.kind} ${spec.attachBtf.name}`);
    }
    return id;
  }

  [Symbol.dispose](): void {
    this.programs.clear();
    this.maps.clear();
    this.owned[Symbol.dispose]();
  }
}

/** A copy of the code with what only this kernel knows: map descriptors, and the cookie where it is a constant. */
function relocate(spec: ProgramSpec, cookie: bigint, fdOf: (map: string) => number): Uint8Array {
  const code = zeroed(spec.code.length);
  code.set(spec.code);
  const view = new DataView(code.buffer);
  // struct bpf_insn: code u8, dst:4 src:4, off s16, imm s32; a 16-byte load has a second one with the upper half as imm.
  const setSource = (at: number, source: number) =>
    view.setUint8(at + 1, (view.getUint8(at + 1) & 0xf) | (source << 4));
  for (const relocation of spec.relocations) {
    const at = relocation.insn * 8;
    switch (relocation.kind) {
      case "map":
        setSource(at, BPF_PSEUDO_MAP_FD);
        view.setInt32(at + 4, fdOf(relocation.map), true);
        view.setInt32(at + 12, 0, true);
        break;
      case "mapvalue":
        setSource(at, BPF_PSEUDO_MAP_VALUE);
        view.setInt32(at + 4, fdOf(relocation.map), true);
        view.setInt32(at + 12, relocation.offset, true);
        break;
      case "cookie":
        setSource(at, 0);
        view.setUint32(at + 4, Number(cookie & 0xffffffffn), true);
        view.setUint32(at + 12, Number((cookie >> 32n) & 0xffffffffn), true);
        break;
    }
  }
  return code;
}

const perCpuTypes: readonly number[] = [
  BPF_MAP_TYPE_PERCPU_HASH,
  BPF_MAP_TYPE_PERCPU_ARRAY,
  BPF_MAP_TYPE_LRU_PERCPU_HASH,
];

const isPerCpu = (type: number): boolean => perCpuTypes.includes(type);

function initialValue(map: LoadedMap, initial: Uint8Array): Uint8Array {
  const one = valueStride(map);
  const value = zeroed(one * Math.max(1, map.cpus));
  for (let at = 0; at < value.length; at += one) value.set(initial, at);
  return value;
}

/** Bytes from one CPU's value to the next; the size of the value where a map is not per CPU. */
export const valueStride = (map: LoadedMap): number =>
  map.cpus === 0 ? map.spec.valueSize : (map.spec.valueSize + 7) & ~7;

/** `@x` -> `AT_x`, as bpftrace does; bpf_obj_name_cpy() takes letters, digits, `_` and `.` only. */
function kernelName(name: string): string {
  return name
    .replace("@", "AT_")
    .replace(/[^\w.]/g, "_")
    .slice(0, 15);
}
