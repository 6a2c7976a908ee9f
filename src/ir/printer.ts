import type { Edge, IrFunction, IrInstr, Terminator, Value } from "./ir.js";
import { type FieldKind, ops } from "./ops.js";

/** The function as text that {@link parseIr} reads back; spans are left out. */
export function printIr(fn: IrFunction): string {
  const pointsTo = fn.pointsTo === undefined ? "" : ` (${fn.pointsTo.join(", ")})`;
  const lines = [`${fn.kind} ${JSON.stringify(fn.name)}${pointsTo} {`];
  for (const slot of fn.slots)
    lines.push(`  s${slot.id} = ${slot.size} align ${slot.align} ${JSON.stringify(slot.name)}`);
  for (const block of fn.blocks) {
    lines.push(`b${block.id}(${printValues(block.params)}):`);
    for (const instr of block.instrs) lines.push(`  ${printInstr(instr)}`);
    lines.push(`  ${printEnd(block.end)}`);
  }
  lines.push("}");
  return `${lines.join("\n")}\n`;
}

/** One instruction, e.g. `%4 = load.4.signed %1, 16`. */
export function printInstr(instr: IrInstr): string {
  const row = ops[instr.op];
  const fields = new Map<string, unknown>(Object.entries(instr));
  let mnemonic: string = instr.op;
  for (const [name, kind] of row.modifiers) {
    const value = fields.get(name);
    if (kind !== "flag") mnemonic += `.${value}`;
    else if (value === true) mnemonic += `.${name}`;
  }
  const operands = row.fields.flatMap(([name, kind]) => printField(kind, fields.get(name)));
  const result = "dst" in instr && instr.dst !== undefined ? `%${instr.dst} = ` : "";
  return `${result}${[mnemonic, operands.join(", ")].join(" ").trimEnd()}`;
}

/** A terminator, e.g. `branch.ult %1, %2, b1(), b2(%3) likely then`. */
export function printEnd(end: Terminator): string {
  if (end.op === "jump") return `jump ${printEdge(end.to)}`;
  if (end.op === "ret") return `ret %${end.value}`;
  const likely = end.likely === undefined ? "" : ` likely ${end.likely}`;
  return `branch.${end.cmp} %${end.a}, %${end.b}, ${printEdge(end.then)}, ${printEdge(end.else)}${likely}`;
}

function printField(kind: FieldKind, value: unknown): string[] {
  switch (kind) {
    case "value":
      return [`%${value}`];
    case "values":
      return (value as readonly Value[]).map((v) => `%${v}`);
    case "name":
      return [JSON.stringify(value)];
    case "slot":
      return [`s${value}`];
    case "bigint":
    case "number":
      return [String(value)];
  }
}

const printEdge = (edge: Edge): string => `b${edge.block}(${printValues(edge.args)})`;
const printValues = (values: readonly Value[]): string => values.map((v) => `%${v}`).join(", ");
