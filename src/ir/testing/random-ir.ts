import { FunctionBuilder, type Variable } from "../builder.js";
import type { BinOp, CmpOp, IrFunction, SlotId, Value, Width } from "../ir.js";

const bins: readonly BinOp[] = [
  "add",
  "sub",
  "mul",
  "udiv",
  "umod",
  "sdiv",
  "smod",
  "and",
  "or",
  "xor",
  "shl",
  "lshr",
  "ashr",
];
const cmps: readonly CmpOp[] = ["eq", "ne", "ult", "ule", "ugt", "uge", "slt", "sle", "sgt", "sge"];
const interesting: readonly bigint[] = [
  0n,
  1n,
  2n,
  3n,
  7n,
  8n,
  -1n,
  -2n,
  -8n,
  10n,
  63n,
  64n,
  65n,
  255n,
  0xffffn,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffffn,
  0x1_0000_0000n,
  0x7fff_ffff_ffff_ffffn,
  -0x8000_0000_0000_0000n,
];

/** A small generator of numbers that is the same everywhere: xorshift32. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = (seed * 2654435761) >>> 0 || 1;
  }

  below(n: number): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x >>> 0;
    return this.state % n;
  }

  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new Error("nothing to pick from");
    return list[this.below(list.length)] as T;
  }
}

/** Bytes of the context and of the map `array` that random programs use. */
export const randomContextSize = 64;
export const randomMapSize = 128;

/** A terminating program that computes, branches, loops, calls and uses the stack; every run of a seed gives the same. `helpers` take no arguments. */
export function randomProgram(
  seed: number,
  statements: number,
  helpers: readonly string[] = ["get_current_pid_tgid", "get_current_uid_gid", "get_smp_processor_id"],
): IrFunction {
  return new Generator(seed, helpers).program(statements);
}

class Generator {
  private readonly random: Random;
  private readonly b = new FunctionBuilder("random", "program");
  private readonly variables: Variable[] = [];
  private readonly helpers: readonly string[];
  private readonly ctx: Value;
  private depth = 0;
  private budget = 0;
  private slots = 0;

  constructor(seed: number, helpers: readonly string[]) {
    this.random = new Random(seed);
    this.helpers = helpers;
    this.ctx = this.b.ctx();
  }

  program(statements: number): IrFunction {
    const { b, random } = this;
    this.budget = statements;
    for (let i = 0; i < 3 + random.below(10); i++) {
      const variable = b.newVariable();
      b.write(
        variable,
        random.below(3) === 0 ? b.const(this.constant()) : b.load(8, false, this.ctx, 8 * random.below(8)),
      );
      this.variables.push(variable);
    }
    while (this.budget > 0) this.statement([]);
    const map = b.mapValue("array", 0);
    this.variables.forEach((variable, i) => {
      if (i < 8) b.store(8, map, 8 * i, b.read(variable));
    });
    let sum = b.const(0);
    for (const variable of this.variables) sum = b.bin("add", b.bin("mul", sum, b.const(31)), b.read(variable));
    b.ret(sum);
    return b.finish();
  }

  private constant(): bigint {
    const { random } = this;
    return random.below(3) === 0 ? BigInt(random.below(1 << 30)) - 1000n : random.pick(interesting);
  }

  private value(): Value {
    const { b, random } = this;
    return random.below(4) === 0 ? b.const(this.constant()) : b.read(random.pick(this.variables));
  }

  private expression(depth: number): Value {
    const { b, random } = this;
    if (depth === 0) return this.value();
    const inner = (): Value => this.expression(depth - 1);
    switch (random.below(12)) {
      case 0:
        return b.ext(random.pick([1, 2, 4] as const), random.below(2) === 0, inner());
      case 1:
        return b.bswap(random.pick([2, 4, 8] as const), inner());
      case 2:
        return b.cmp(random.pick(cmps), inner(), inner());
      case 3:
        return b.load(random.pick([1, 2, 4, 8] as const), random.below(2) === 0, this.ctx, 8 * random.below(8));
      case 4:
        return b.load(8, false, b.mapValue("array", 8 * random.below(8)), 8 * random.below(8));
      case 5:
        return b.call(random.pick(this.helpers), []);
      default:
        return b.bin(random.pick(bins), inner(), inner());
    }
  }

  private statement(slots: readonly { readonly id: SlotId; readonly size: number }[]): void {
    const { b, random } = this;
    this.budget--;
    switch (random.below(12)) {
      case 0:
      case 1:
        this.condition(slots);
        return;
      case 2:
        this.depth < 3 ? this.loop(slots) : this.assign();
        return;
      case 3:
        this.withSlot(slots);
        return;
      case 4: {
        const at = 8 * random.below(8);
        const base = b.mapValue("array", at);
        if (random.below(3) === 0) b.store(random.pick([1, 2, 4, 8] as const), base, 0, this.value());
        else if (random.below(2) === 0) b.atomic(random.pick(["add", "or", "and", "xor"]), 8, base, 0, this.value());
        else {
          const old = b.atomicFetch(
            random.pick(["add", "xchg", "or"]),
            random.pick([4, 8] as const),
            base,
            0,
            this.value(),
          );
          b.write(random.pick(this.variables), old);
        }
        return;
      }
      case 5:
      case 6:
        if (slots.length > 0) {
          this.useSlot(random.pick(slots), random.pick(slots));
          return;
        }
        this.assign();
        return;
      default:
        this.assign();
        return;
    }
  }

  private assign(): void {
    this.b.write(this.random.pick(this.variables), this.expression(1 + this.random.below(3)));
  }

  private body(slots: readonly { readonly id: SlotId; readonly size: number }[]): void {
    this.depth++;
    for (let i = this.random.below(4); i >= 0; i--) if (this.budget > 0) this.statement(slots);
    this.depth--;
  }

  private condition(slots: readonly { readonly id: SlotId; readonly size: number }[]): void {
    const { b, random } = this;
    const yes = b.newBlock();
    const no = b.newBlock();
    const after = b.newBlock();
    const likely = random.pick(["then", "else", undefined] as const);
    if (random.below(3) === 0) {
      // A condition that was computed before, and a mask.
      const flag = random.below(2) === 0 ? b.cmp(random.pick(cmps), this.value(), this.value()) : this.expression(1);
      b.branch(
        random.pick(["eq", "ne"]),
        b.bin("and", flag, b.const(random.pick([1n, 6n, 0x100n]))),
        b.const(0),
        yes,
        no,
      );
    } else b.branch(random.pick(cmps), this.value(), this.value(), yes, no, likely);
    b.seal(yes);
    b.seal(no);
    b.setBlock(yes);
    this.body(slots);
    if (random.below(10) === 0) b.ret(this.value());
    b.jump(after);
    b.setBlock(no);
    if (random.below(2) === 0) this.body(slots);
    b.jump(after);
    b.seal(after);
    b.setBlock(after);
  }

  private loop(slots: readonly { readonly id: SlotId; readonly size: number }[]): void {
    const { b, random } = this;
    const counter = b.newVariable();
    b.write(counter, b.const(0));
    const head = b.newBlock();
    const body = b.newBlock();
    const after = b.newBlock();
    b.jump(head);
    b.setBlock(head);
    b.branch("ult", b.read(counter), b.const(1 + random.below(4)), body, after);
    b.seal(body);
    b.setBlock(body);
    this.body(slots);
    if (random.below(4) === 0) {
      const [a, c] = [random.pick(this.variables), random.pick(this.variables)];
      const [x, y] = [b.read(a), b.read(c)];
      b.write(a, y); // a swap round the loop makes a cycle of moves
      b.write(c, x);
    }
    b.write(counter, b.bin("add", b.read(counter), b.const(1)));
    b.jump(head);
    b.seal(head);
    b.seal(after);
    b.setBlock(after);
  }

  private withSlot(slots: readonly { readonly id: SlotId; readonly size: number }[]): void {
    const { b, random } = this;
    if (this.slots++ > 40) {
      this.assign();
      return;
    }
    const size = random.pick([8, 16, 24, 13, 4]);
    const id = b.slot(size, 8, `slot${this.slots}`);
    const address = b.slotAddr(id);
    if (random.below(2) === 0) b.zero(address, 0, size);
    else if (size === 16) this.comm(address);
    else for (let i = 0; i < size; i++) b.store(1, address, i, this.value());
    const inner = slots.length >= 6 ? slots : [...slots, { id, size }];
    this.useSlot({ id, size }, random.pick(inner));
    this.body(inner);
  }

  /** Zeroed first: some kernels leave what is behind the name as it was. */
  private comm(address: Value): void {
    const { b } = this;
    b.zero(address, 0, 16);
    b.call("get_current_comm", [address, b.const(16)]);
  }

  private useSlot(slot: { readonly id: SlotId; readonly size: number }, other: typeof slot): void {
    const { b, random } = this;
    const address = b.slotAddr(slot.id);
    const widths = ([1, 2, 4, 8] as const).filter((width) => width <= slot.size);
    const width: Width = random.pick(widths);
    const offset = width * random.below(Math.floor(slot.size / width));
    switch (random.below(5)) {
      case 0:
        b.store(width, address, offset, this.value());
        break;
      case 1:
        b.write(random.pick(this.variables), b.load(width, random.below(2) === 0, address, offset));
        break;
      case 2:
        b.zero(address, offset, width);
        break;
      case 3:
        if (slot.id !== other.id) {
          const size = 1 + random.below(Math.min(slot.size, other.size));
          b.copy(address, slot.size - size, b.slotAddr(other.id), 0, size);
        }
        break;
      default:
        if (slot.size >= 16) this.comm(address);
        else b.store(1, b.bin("add", address, b.const(offset)), 0, this.value());
    }
    if (random.below(3) === 0) b.write(random.pick(this.variables), b.load(width, false, address, offset));
  }
}
