import { describeType } from "../language/describe-type.js";
import type { TypedScript } from "../language/typed.js";
import type { AstProgram } from "../syntax/ast.js";

/** A syntax tree as indented text: kind, names and values of each node, with its place in the script. */
export function dumpAst(program: AstProgram): string {
  const lines: string[] = [];
  for (const { source, start, end } of program.preamble) lines.push(`c ${source.text.slice(start, end)}`);
  for (const setting of program.config) lines.push(`config ${setting.key} = ${setting.value}`);
  for (const probe of program.probes) {
    lines.push(`probe ${probe.attachPoints.map((point) => point.text).join(", ")}`);
    if (probe.predicate !== undefined) dumpNode("predicate", probe.predicate, 1, lines);
    for (const statement of probe.body) dumpNode("", statement, 1, lines);
  }
  return lines.join("\n");
}

function dumpNode(label: string, node: unknown, depth: number, lines: string[]): void {
  const indent = "  ".repeat(depth);
  const prefix = label === "" ? "" : `${label}: `;
  if (Array.isArray(node)) {
    for (const item of node) dumpNode(label, item, depth, lines);
    return;
  }
  if (typeof node !== "object" || node === null) return;
  const fields = Object.entries(node).filter(([key]) => key !== "span" && !key.endsWith("Span") && key !== "kind");
  const plain = fields.filter(([, value]) => typeof value !== "object" && value !== undefined);
  const kind = "kind" in node ? String(node.kind) : "type";
  lines.push(`${indent}${prefix}${kind}${plain.map(([key, value]) => ` ${key}=${show(value)}`).join("")}`);
  for (const [key, value] of fields) if (typeof value === "object") dumpNode(key, value, depth + 1, lines);
}

const show = (value: unknown): string => (typeof value === "string" ? JSON.stringify(value) : String(value));

/** Programs with the attach points they serve, and the types of variables and maps. */
export function dumpTypes(script: TypedScript): string {
  const lines: string[] = [];
  for (const map of script.maps.values()) {
    const key = map.key === undefined ? "" : `[${map.key.map(describeType).join(", ")}]`;
    lines.push(`map ${map.name}${key}: ${describeType(map.value)}`);
  }
  for (const program of script.programs) {
    lines.push(
      `program ${program.name} (${program.variant.type}) for ${program.targets.length} attach point${program.targets.length === 1 ? "" : "s"}`,
    );
    for (const variable of program.variables.values()) lines.push(`  ${variable.name}: ${describeType(variable.type)}`);
    for (const field of program.variant.args ?? []) lines.push(`  args.${field.name}: ${describeType(field.type)}`);
  }
  return lines.join("\n");
}
