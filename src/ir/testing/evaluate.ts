import type { IrFunction, IrInstr, Value } from "../ir.js";
import { binFold, cmpFold, extend, operandsOf, swapBytes } from "../ops.js";

/** What the evaluated function may call; memory is reached through `memory`. */
export interface EvaluateWorld {
  readonly context: Uint8Array;
  /** The value of each array map that the function addresses. */
  readonly maps: ReadonlyMap<string, Uint8Array>;
  readonly call: (helper: string, args: readonly bigint[], memory: (address: bigint) => Uint8Array) => bigint;
}

/**
 * Runs a function by the rules of ir.ts alone, block by block: what tests hold the compiled code against. Slots begin with
 * garbage.
 */
export function evaluateIr(fn: IrFunction, world: EvaluateWorld, mostSteps = 1_000_000): bigint {
  const regions: Uint8Array[] = [];
  const place = (bytes: Uint8Array): bigint => {
    regions.push(bytes);
    return BigInt(regions.length) << 32n;
  };
  const memory = (address: bigint): Uint8Array => {
    const bytes = regions[Number(address >> 32n) - 1];
    if (bytes === undefined) throw new Error(`no memory at ${address}`);
    return bytes.subarray(Number(address & 0xffff_ffffn));
  };
  const context = place(world.context);
  const slots = new Map(fn.slots.map((slot) => [slot.id, place(new Uint8Array(slot.size).fill(0x5a))]));
  const maps = new Map([...world.maps].map(([name, bytes]) => [name, place(bytes)]));
  const blocks = new Map(fn.blocks.map((block) => [block.id, block]));
  const values = new Map<Value, bigint>();
  const get = (value: Value): bigint => {
    const found = values.get(value);
    if (found === undefined) throw new Error(`%${value} has no value`);
    return found;
  };
  const read = (address: bigint, width: number): bigint => {
    const bytes = memory(address);
    let out = 0n;
    for (let i = width - 1; i >= 0; i--) out = (out << 8n) | BigInt(bytes[i] ?? 0);
    return out;
  };
  const write = (address: bigint, width: number, value: bigint): void => {
    const bytes = memory(address);
    for (let i = 0; i < width; i++) bytes[i] = Number((value >> BigInt(8 * i)) & 0xffn);
  };
  const at = (base: Value, offset: number): bigint => get(base) + BigInt(offset);

  const compute = (instr: IrInstr): bigint | undefined => {
    switch (instr.op) {
      case "const":
        return instr.value;
      case "ctx":
        return context;
      case "slot":
        return slots.get(instr.slot) ?? 0n;
      case "mapvalue":
        return (maps.get(instr.map) ?? 0n) + BigInt(instr.offset);
      case "bin":
        return binFold[instr.bin](get(instr.a), get(instr.b));
      case "ext":
        return extend(get(instr.a), instr.width, instr.signed);
      case "bswap":
        return swapBytes(get(instr.a), instr.width);
      case "cmp":
        return cmpFold[instr.cmp](get(instr.a), get(instr.b)) ? 1n : 0n;
      case "load":
        return extend(read(at(instr.base, instr.offset), instr.width), instr.width, instr.signed);
      case "store":
        write(at(instr.base, instr.offset), instr.width, get(instr.value));
        return undefined;
      case "atomic": {
        const address = at(instr.base, instr.offset);
        const old = read(address, instr.width);
        const operand = get(instr.value);
        write(address, instr.width, instr.atomic === "xchg" ? operand : binFold[instr.atomic](old, operand));
        return extend(old, instr.width, false);
      }
      case "zero":
        memory(at(instr.base, instr.offset)).fill(0, 0, instr.size);
        return undefined;
      case "copy": {
        const from = memory(at(instr.from, instr.fromOffset)).slice(0, instr.size);
        memory(at(instr.base, instr.offset)).set(from);
        return undefined;
      }
      case "call":
        return BigInt.asIntN(64, world.call(instr.helper, operandsOf(instr).map(get), memory));
      default:
        throw new Error(`${instr.op} is not evaluated`);
    }
  };

  let [block] = fn.blocks;
  for (let steps = 0; block !== undefined; ) {
    for (const instr of block.instrs) {
      if (++steps > mostSteps) throw new Error("too many steps");
      const result = compute(instr);
      if ("dst" in instr && instr.dst !== undefined) values.set(instr.dst, result ?? 0n);
    }
    const { end } = block;
    if (end.op === "ret") return get(end.value);
    const edge = end.op === "jump" ? end.to : cmpFold[end.cmp](get(end.a), get(end.b)) ? end.then : end.else;
    const args = edge.args.map(get);
    block = blocks.get(edge.block);
    block?.params.forEach((param, i) => {
      values.set(param, args[i] ?? 0n);
    });
  }
  throw new Error("the function runs off its end");
}
