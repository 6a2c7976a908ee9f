import { FunctionBuilder } from "../ir/builder.js";
import type { IrFunction } from "../ir/ir.js";
import { btfFunction } from "../language/kernel-view.js";
import type { TypedProgram } from "../language/typed.js";
import { lowerProgram } from "./lower.js";
import type { ObjectBuilder } from "./object-builder.js";

/**
 * The program, and of a session what its returns do: a function of its own, called in place of the entry's when the kernel
 * says that it runs for a return. An entry's 0 asks for the return (kprobe_multi_link_handler(), kernel/trace/bpf_trace.c,
 * v6.10).
 */
export function lowerWithReturns(
  program: TypedProgram,
  index: number,
  object: ObjectBuilder,
  stackLimit: number,
): readonly IrFunction[] {
  const functions = lowerProgram(program, index, object, stackLimit);
  const at = object.script.programs.findIndex(({ inSessionOf }) => inSessionOf === index);
  const returns = object.script.programs[at];
  if (returns === undefined) return functions;
  const { isReturn = "" } = program.targets[0]?.provider.session ?? {};
  const id = btfFunction(object.kernel, isReturn);
  if (id === undefined) throw new Error(`internal: a session without ${isReturn}()`);
  const [entry, ...callbacks] = functions;
  if (entry === undefined) throw new Error("internal: no function was lowered");
  const atEntry = { ...entry, name: `${program.name}_entry` };
  const b = new FunctionBuilder(program.name, "program");
  b.span = program.span;
  // A bool is one byte; what is above it is anything. Until 6.19 it takes no argument, and does not look at the context that
  // it takes since.
  b.either(
    "ne",
    b.ext(1, false, b.callKernel(isReturn, id, [b.ctx()])),
    b.const(0),
    () => void b.callFunc(returns.name, [b.ctx()]),
    () => void b.callFunc(atEntry.name, [b.ctx()]),
  );
  b.ret(b.const(0));
  return [b.finish(), atEntry, ...callbacks, ...lowerProgram(returns, at, object, stackLimit)];
}
