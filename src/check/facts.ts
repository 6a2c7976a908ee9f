import { findBuiltin } from "../language/builtins/index.js";
import type { ActionFacts } from "../language/probe.js";
import type { AstExpr, AstProbe, AstStatement } from "../syntax/ast.js";

/** What an action uses, as far as the choice of an attachment depends on it. */
export function factsOf(probe: AstProbe): ActionFacts {
  const uses = new Set<string>();
  const numbers = new Set<number>();
  let overrides = false;
  const note = (name: string): void => {
    const found = findBuiltin(name);
    if (found?.uses !== undefined) uses.add(found.uses);
    if (found?.argument !== undefined) numbers.add(found.argument);
    if (found?.overrides === true) overrides = true;
  };
  visit(probe, (node) => {
    if (node.kind === "name" || node.kind === "call") note(node.name);
    if (withType.has(node.kind)) uses.add("type-names");
  });
  return {
    usesArgs: uses.has("args"),
    usesKernelStack: uses.has("kernel-stack"),
    usesArgN: uses.has("argN"),
    numberedArguments: [...numbers].sort((a, b) => a - b),
    usesTypedArgs: uses.has("typed-args"),
    usesTypeNames: uses.has("type-names"),
    overrides,
  };
}

/** What the script names a type in. */
const withType: ReadonlySet<string> = new Set(["type-name", "sizeof", "offsetof"]);

type See = (node: AstExpr | AstStatement) => void;

function visit(probe: AstProbe, see: See): void {
  const pending: AstStatement[] = [...probe.body];
  if (probe.predicate !== undefined) visitExpr(probe.predicate, see, pending);
  for (let statement = pending.pop(); statement !== undefined; statement = pending.pop()) {
    see(statement);
    for (const value of Object.values(statement)) visitChild(value, see, pending);
  }
}

function visitChild(child: unknown, see: See, pending: AstStatement[]): void {
  if (Array.isArray(child)) for (const item of child) visitChild(item, see, pending);
  else if (isNode(child)) {
    if (statementKinds.has(child.kind)) pending.push(child as AstStatement);
    else visitExpr(child as AstExpr, see, pending);
  }
}

function visitExpr(root: AstExpr, see: See, pending: AstStatement[]): void {
  const stack: AstExpr[] = [root];
  for (let expr = stack.pop(); expr !== undefined; expr = stack.pop()) {
    see(expr);
    for (const value of Object.values(expr)) {
      for (const child of Array.isArray(value) ? value : [value]) {
        if (!isNode(child)) continue;
        if (statementKinds.has(child.kind)) pending.push(child as AstStatement);
        else stack.push(child as AstExpr);
      }
    }
  }
}

const isNode = (value: unknown): value is { readonly kind: string } =>
  typeof value === "object" && value !== null && "kind" in value && typeof value.kind === "string" && "span" in value;

const statementKinds: ReadonlySet<string> = new Set<AstStatement["kind"]>([
  "expression",
  "assign",
  "discard",
  "let",
  "if",
  "unroll",
  "while",
  "for-range",
  "for-map",
  "block-statement",
  "return",
  "break",
  "continue",
]);
