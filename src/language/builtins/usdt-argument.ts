import type { UsdtArgument } from "../../formats/usdt-arguments.js";
import type { OperandAddress, OperandRegister } from "../../formats/usdt-operand.js";
import type { Value } from "../../ir/ir.js";
import { int } from "../../types/type.js";
import type { Lowering } from "../lowering.js";

/** The value of an argument of a USDT probe, extended to 64 bits by its own sign. */
export function usdtArgument(l: Lowering, { operand, size, signed }: UsdtArgument): Value {
  const { b } = l;
  switch (operand.kind) {
    case "constant": {
      const bits = 8 * size;
      return b.const(signed ? BigInt.asIntN(bits, operand.value) : BigInt.asUintN(bits, operand.value));
    }
    case "register": {
      const value = registerValue(l, operand.register);
      const width = Math.min(size, operand.register.width);
      return width === 8 ? value : b.ext(width as 1 | 2 | 4, signed, value);
    }
    case "memory": {
      const { base, offset } = addressOf(l, operand.address);
      return l.read({ base, offset, space: "user" }, int(size, signed));
    }
    case "address": {
      const { base, offset } = addressOf(l, operand.address);
      return b.bin("add", base, b.const(offset));
    }
    case "unknown":
      throw new Error("internal: an argument that cannot be read");
  }
}

/** Displacements that instructions cannot carry are added to the base. */
const most = 2 ** 28;

function addressOf(l: Lowering, { base, index, offset }: OperandAddress): { base: Value; offset: number } {
  const { b } = l;
  let sum = base === undefined ? undefined : wordOf(l, base, false);
  if (index !== undefined) {
    const scaled = b.bin("shl", wordOf(l, index.register, index.signed), b.const(index.shift));
    sum = sum === undefined ? scaled : b.bin("add", sum, scaled);
  }
  if (sum === undefined) return { base: b.const(BigInt.asIntN(64, offset)), offset: 0 };
  if (offset > -most && offset < most) return { base: sum, offset: Number(offset) };
  return { base: b.bin("add", sum, b.const(BigInt.asIntN(64, offset))), offset: 0 };
}

function wordOf(l: Lowering, register: OperandRegister, signed: boolean): Value {
  const value = registerValue(l, register);
  return register.width === 8 ? value : l.b.ext(register.width, signed, value);
}

function registerValue(l: Lowering, { name, shift }: OperandRegister): Value {
  const at = l.registerOffset(name);
  if (at === undefined) throw new Error(`internal: no register ${name}`);
  const value = l.b.load(8, false, l.b.ctx(), at);
  return shift === 0 ? value : l.b.bin("lshr", value, l.b.const(shift));
}
