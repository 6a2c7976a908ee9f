import {
  BPF_ALU,
  BPF_ALU64,
  BPF_ATOMIC,
  BPF_CALL,
  BPF_CMPXCHG,
  BPF_EXIT,
  BPF_FETCH,
  BPF_JA,
  BPF_JMP,
  BPF_JMP32,
  BPF_LDX,
  BPF_MEMSX,
  BPF_PSEUDO_CALL,
  BPF_PSEUDO_FUNC,
  BPF_PSEUDO_KFUNC_CALL,
  BPF_ST,
  BPF_STX,
  BPF_X,
  BPF_XCHG,
  frameRegister,
  loadImm64,
  maxStack,
} from "../abi/bpf-insn.js";
import { helperName } from "../abi/helpers.js";
import { type DecodedInsn, decodeInsn } from "./disassemble.js";
import type { MapSpec, ProgramSpec, Relocation } from "./object.js";
import { alu, atomicResult, isTaken } from "./sim-alu.js";
import { type SimHelper, simHelpers } from "./sim-helpers.js";
import { createSimMap, SimArray, type SimMap, type SimRecord, SimRing } from "./sim-maps.js";
import { InterpreterError, type Region, SimMemory } from "./sim-memory.js";

/** What the simulated kernel answers about the moment. */
export interface SimEnvironment {
  cpu: number;
  /** tgid in the upper half, thread in the lower. */
  pidTgid: bigint;
  uidGid: bigint;
  comm: string;
  /** Address of the current task_struct. */
  task: bigint;
  cgroupId: bigint;
  cookie: bigint;
  funcIp: bigint;
  ktime: () => bigint;
  random: () => bigint;
  /** Return addresses, innermost first. */
  stack: (user: boolean) => readonly bigint[];
}

export interface InterpreterOptions {
  readonly maps?: readonly MapSpec[];
  readonly cpus?: number;
  readonly environment?: Partial<SimEnvironment>;
  /** Further helpers, or others in place of ours. */
  readonly helpers?: Readonly<Record<string, SimHelper>>;
  /** Instructions that one run may take; 1,000,000 if absent. */
  readonly stepLimit?: number;
}

export type RunnableProgram = Pick<ProgramSpec, "code" | "relocations">;

/** What calls leave in r1 to r5, so that a program that reads them is noticed. */
const clobbered = 0xdead_beef_dead_beefn;
/** Addresses that stand for maps and functions of the program. */
const mapBase = 0xffff_d000_0000_0000n;
const functionBase = 0xffff_d001_0000_0000n;
/** MAX_CALL_FRAMES, include/linux/bpf_verifier.h. */
const mostFrames = 8;

/**
 * Runs BPF bytecode against simulated maps and memory, for tests: a wild access, an unknown instruction or helper, and too
 * many steps throw {@link InterpreterError}.
 */
export class Interpreter {
  readonly memory = new SimMemory();
  readonly maps = new Map<string, SimMap>();
  readonly environment: SimEnvironment;
  readonly cpus: number;
  private readonly mapList: SimMap[] = [];
  private readonly helpers: ReadonlyMap<string, SimHelper>;
  private readonly stepLimit: number;
  private program: { readonly view: DataView; readonly relocations: ReadonlyMap<number, Relocation> } | undefined;
  private steps = 0;
  private frames = 0;

  constructor(options: InterpreterOptions = {}) {
    this.cpus = options.cpus ?? 1;
    this.stepLimit = options.stepLimit ?? 1_000_000;
    this.helpers = new Map([...simHelpers, ...Object.entries(options.helpers ?? {})]);
    let clock = 1_000_000_000n;
    this.environment = {
      cpu: 0,
      pidTgid: (1000n << 32n) | 1001n,
      uidGid: 0n,
      comm: "test",
      task: 0n,
      cgroupId: 1n,
      cookie: 0n,
      funcIp: 0n,
      ktime: () => (clock += 1000n),
      random: () => 4n,
      stack: () => [],
      ...options.environment,
    };
    for (const spec of options.maps ?? []) {
      const map = createSimMap(spec, this.memory, this.cpus);
      this.maps.set(spec.name, map);
      this.mapList.push(map);
    }
  }

  /** Runs a program once; the context is its bytes (or nothing). Answers r0. */
  run(program: RunnableProgram, context: Uint8Array = new Uint8Array()): bigint {
    const { code } = program;
    const region = this.memory.map("context", "program", context, false);
    this.program = {
      view: new DataView(code.buffer, code.byteOffset, code.byteLength),
      relocations: new Map(program.relocations.map((r) => [r.insn, r])),
    };
    this.steps = 0;
    this.frames = 0;
    try {
      return this.call(0, [region.start]);
    } finally {
      this.memory.unmap(region);
      this.program = undefined;
    }
  }

  /** Instructions that the last run took. */
  get lastSteps(): number {
    return this.steps;
  }

  map(name: string): SimMap {
    const map = this.maps.get(name);
    if (map === undefined) throw new InterpreterError(`no map ${name}`);
    return map;
  }

  /** Takes the records out of a ring buffer. */
  takeRecords(name: string): readonly SimRecord[] {
    const map = this.map(name);
    if (!(map instanceof SimRing)) throw new InterpreterError(`${name} is no ring buffer`);
    return map.take();
  }

  /** For helpers: the map that a pointer stands for. */
  mapAt(pointer: bigint): SimMap {
    const map = this.mapList[Number(pointer - mapBase)];
    if (map === undefined) throw new InterpreterError(`0x${pointer.toString(16)} is no map`);
    return map;
  }

  /** For helpers: calls a function of the program. */
  callBack(address: bigint, args: readonly bigint[]): bigint {
    return this.call(Number(address - functionBase), args);
  }

  private call(start: number, args: readonly bigint[]): bigint {
    if (++this.frames > mostFrames) throw new InterpreterError(`more than ${mostFrames} frames`);
    const stack = this.memory.map("stack", "program", new Uint8Array(maxStack).fill(0xa5));
    try {
      return this.execute(start, stack, args);
    } finally {
      this.memory.unmap(stack);
      this.frames--;
    }
  }

  private execute(start: number, stack: Region, args: readonly bigint[]): bigint {
    const program = this.program;
    if (program === undefined) throw new InterpreterError("no program runs");
    const { view } = program;
    const regs = new BigUint64Array(11).fill(clobbered);
    args.forEach((value, i) => {
      regs[i + 1] = value;
    });
    regs[frameRegister] = stack.start + BigInt(maxStack);
    const reg = (i: number): bigint => regs[i] ?? 0n;
    for (let pc = start; ; ) {
      if (++this.steps > this.stepLimit) throw new InterpreterError(`more than ${this.stepLimit} steps`);
      if (pc < 0 || pc * 8 >= view.byteLength) throw new InterpreterError(`jump to ${pc}, outside the program`);
      const insn = decodeInsn(view, pc);
      const { code, dst, src, off, imm } = insn;
      const here = pc++;
      switch (code & 7) {
        case BPF_ALU:
        case BPF_ALU64: {
          const right = (code & BPF_X) !== 0 ? reg(src) : BigInt(imm);
          if (dst === frameRegister) throw new InterpreterError("r10 is written");
          regs[dst] = alu(insn, reg(dst), right);
          break;
        }
        case BPF_LDX:
          regs[dst] = this.load(code, reg(src) + BigInt(off));
          break;
        case BPF_ST:
          this.store(code, reg(dst) + BigInt(off), BigInt(imm));
          break;
        case BPF_STX:
          if ((code & 0xe0) === BPF_ATOMIC) this.atomic(insn, regs);
          else this.store(code, reg(dst) + BigInt(off), reg(src));
          break;
        case BPF_JMP:
        case BPF_JMP32: {
          const operation = code & 0xf0;
          if (code === (BPF_JMP | BPF_EXIT)) return reg(0);
          if (code === (BPF_JMP | BPF_CALL)) {
            regs[0] = this.callFrom(insn, here, [1, 2, 3, 4, 5].map(reg));
            regs.fill(clobbered, 1, 6);
          } else if (operation === BPF_JA) pc += (code & 7) === BPF_JMP32 ? imm : off;
          else if (isTaken(insn, reg(dst), (code & BPF_X) !== 0 ? reg(src) : BigInt(imm))) pc += off;
          break;
        }
        default:
          if (code !== loadImm64) throw new InterpreterError(`instruction ${here}: unknown code ${code}`);
          regs[dst] = this.wide(insn, here, view.getInt32(pc * 8 + 4, true));
          pc++;
      }
    }
  }

  private callFrom(insn: DecodedInsn, here: number, args: readonly bigint[]): bigint {
    if (insn.src === BPF_PSEUDO_CALL) return this.call(here + insn.imm + 1, args);
    if (insn.src === BPF_PSEUDO_KFUNC_CALL)
      throw new InterpreterError(`function ${insn.imm} of the kernel is not simulated`);
    const name = helperName(insn.imm) ?? String(insn.imm);
    const helper = this.helpers.get(name);
    if (helper === undefined) throw new InterpreterError(`helper ${name} is not simulated`);
    return BigInt.asUintN(64, helper(this, args));
  }

  private wide(insn: DecodedInsn, here: number, high: number): bigint {
    const relocation = this.program?.relocations.get(here);
    switch (relocation?.kind) {
      case "map":
        return mapBase + BigInt(this.mapList.indexOf(this.map(relocation.map)));
      case "mapvalue": {
        const map = this.map(relocation.map);
        const region = map instanceof SimArray ? map.regions[0] : undefined;
        if (region === undefined) throw new InterpreterError(`${relocation.map} is no array`);
        return region.start + BigInt(relocation.offset);
      }
      case "cookie":
        return BigInt.asUintN(64, this.environment.cookie);
      case undefined:
        break;
    }
    if (insn.src === BPF_PSEUDO_FUNC) return functionBase + BigInt(here + insn.imm + 1);
    return (BigInt.asUintN(32, BigInt(high)) << 32n) | BigInt.asUintN(32, BigInt(insn.imm));
  }

  private load(code: number, address: bigint): bigint {
    const width = widthOf(code);
    const { region, offset } = this.memory.access(BigInt.asUintN(64, address), width, false);
    const value = readWidth(region.view, offset, width);
    return (code & 0xe0) === BPF_MEMSX ? BigInt.asIntN(width * 8, value) : value;
  }

  private store(code: number, address: bigint, value: bigint): void {
    const width = widthOf(code);
    const { region, offset } = this.memory.access(BigInt.asUintN(64, address), width, true);
    writeWidth(region.view, offset, width, value);
  }

  private atomic({ code, dst, src, off, imm }: DecodedInsn, regs: BigUint64Array): void {
    const width = widthOf(code);
    const address = BigInt.asUintN(64, (regs[dst] ?? 0n) + BigInt(off));
    const { region, offset } = this.memory.access(address, width, true);
    const old = readWidth(region.view, offset, width);
    const operand = BigInt.asUintN(width * 8, regs[src] ?? 0n);
    if (imm === BPF_CMPXCHG) {
      if (old === BigInt.asUintN(width * 8, regs[0] ?? 0n)) writeWidth(region.view, offset, width, operand);
      regs[0] = old;
      return;
    }
    const next = imm === BPF_XCHG ? operand : atomicResult(imm & ~BPF_FETCH, old, operand);
    writeWidth(region.view, offset, width, next);
    if ((imm & BPF_FETCH) !== 0) regs[src] = old;
  }
}

const widthOf = (code: number): 1 | 2 | 4 | 8 => ([4, 2, 1, 8] as const)[(code >> 3) & 3] ?? 8;

function readWidth(view: DataView, offset: number, width: number): bigint {
  if (width === 8) return view.getBigUint64(offset, true);
  return BigInt(
    width === 4 ? view.getUint32(offset, true) : width === 2 ? view.getUint16(offset, true) : view.getUint8(offset),
  );
}

function writeWidth(view: DataView, offset: number, width: number, value: bigint): void {
  if (width === 8) view.setBigUint64(offset, BigInt.asUintN(64, value), true);
  else if (width === 4) view.setUint32(offset, Number(BigInt.asUintN(32, value)), true);
  else if (width === 2) view.setUint16(offset, Number(BigInt.asUintN(16, value)), true);
  else view.setUint8(offset, Number(BigInt.asUintN(8, value)));
}
