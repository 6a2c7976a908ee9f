import { assertNever } from "../base/assert-never.js";
import type { Value } from "../ir/ir.js";
import type { TypedExpr, TypedStatement } from "../language/typed.js";
import { align8, residence, sizeOf } from "../wire/layout.js";
import { arithmetic, branchOn, eitherWay, lowerInto } from "./expressions.js";
import { overMap, rangeByHelper } from "./loops.js";
import { addToEntry, assignEntry, modifyEntry, updateAggregate } from "./maps.js";
import type { ProgramLowering } from "./program-lowering.js";
import { withoutStacks } from "./shown-stacks.js";

export function lowerBlock(p: ProgramLowering, body: readonly TypedStatement[]): void {
  for (const statement of body) {
    p.b.span = statement.span;
    p.scoped(() => lowerStatement(p, statement));
  }
}

function lowerStatement(p: ProgramLowering, s: TypedStatement): void {
  const { b } = p;
  switch (s.kind) {
    case "evaluate":
      evaluate(p, s.value);
      return;
    case "assign":
      if (s.target.kind === "map") assignEntry(p, s.target.access, s.target.type, s.value);
      else assignVariable(p, s.target.name, s.target.type, s.value);
      return;
    case "update":
      update(p, s);
      return;
    case "aggregate": {
      const n = s.value === undefined ? undefined : p.value(s.value);
      updateAggregate(p, s, n);
      return;
    }
    case "if":
      eitherWay(
        p,
        s.condition,
        () => lowerBlock(p, s.then),
        () => lowerBlock(p, s.else),
      );
      return;
    case "unroll": {
      const done = b.newBlock();
      for (let i = 0; i < s.count; i++) {
        const next = b.newBlock();
        p.loops.push({ next, done });
        lowerBlock(p, s.body);
        p.loops.pop();
        b.jump(next);
        b.seal(next);
        b.setBlock(next);
      }
      b.jump(done);
      b.seal(done);
      b.setBlock(done);
      return;
    }
    case "while":
      loop(p, s.body, (body, done) => branchOn(p, s.condition, body, done));
      return;
    case "for-range":
      if (p.isCallback(s)) rangeByHelper(p, s);
      else nativeRange(p, s);
      return;
    case "for-map":
      overMap(p, s);
      return;
    case "declare":
      if (residence(s.type) === "register") p.writeVariable(s.variable, b.const(0));
      else p.b.zero(p.home(s.variable).base, p.home(s.variable).offset, align8(sizeOf(s.type)));
      return;
    case "block":
      lowerBlock(p, s.body);
      return;
    case "return":
      if (s.value === undefined) p.leave();
      else p.leaveWith(p.value(s.value));
      return;
    case "break":
    case "continue": {
      const target = p.loops.at(-1);
      if (target === undefined) throw new Error(`internal: ${s.kind} outside of a loop`);
      b.jump(s.kind === "break" ? target.done : target.next);
      return;
    }
    default:
      assertNever(s);
  }
}

/** An expression for its effect. */
function evaluate(p: ProgramLowering, e: TypedExpr): void {
  if (e.kind === "step" && e.target.kind === "map") addToEntry(p, e.target.access, p.b.const(e.step), false);
  else if (e.kind === "ternary")
    eitherWay(
      p,
      e.condition,
      () => evaluate(p, e.then),
      () => evaluate(p, e.else),
    );
  else if (e.kind === "block") {
    lowerBlock(p, e.body);
    evaluate(p, e.value);
  } else if (residence(e.type) === "memory") {
    // A value that nobody uses: its parts may still have effects.
    if (e.kind === "tuple") for (const item of e.items) evaluate(p, item);
  } else if (e.kind !== "args") p.value(e);
}

function assignVariable(p: ProgramLowering, name: string, type: TypedExpr["type"], value: TypedExpr): void {
  if (residence(type) === "register") p.writeVariable(name, p.value(value));
  else lowerInto(p, withoutStacks(value, p.shownStacks.onlyShown(name), type), p.home(name), true, type);
}

function update(p: ProgramLowering, { access, op, value }: Extract<TypedStatement, { kind: "update" }>): void {
  const { b } = p;
  if (op === "add") addToEntry(p, access, p.value(value), false);
  else if (op === "sub") addToEntry(p, access, b.bin("sub", b.const(0), p.value(value)), false);
  else {
    const operand = p.value(value);
    modifyEntry(p, access, (before: Value) => arithmetic(p, op, before, operand, value.kind === "const"));
  }
}

type RangeLoop = Extract<TypedStatement, { kind: "for-range" }>;

function nativeRange(p: ProgramLowering, s: RangeLoop): void {
  const { b } = p;
  const counter = b.newVariable();
  b.write(counter, p.value(s.from));
  const end = p.value(s.to);
  loop(
    p,
    s.body,
    (body, done) => b.branch("slt", b.read(counter), end, body, done),
    () => p.writeVariable(s.variable, b.read(counter)),
    () => b.write(counter, b.bin("add", b.read(counter), b.const(1))),
  );
}

type Block = ReturnType<ProgramLowering["b"]["newBlock"]>;

/** `test` chooses between body and end; `next` runs after each round, also after `continue`. */
function loop(
  p: ProgramLowering,
  body: readonly TypedStatement[],
  test: (body: Block, done: Block) => void,
  first?: () => void,
  next?: () => void,
): void {
  const { b } = p;
  const head = b.newBlock();
  const inside = b.newBlock();
  const again = b.newBlock();
  const done = b.newBlock();
  b.jump(head);
  b.setBlock(head);
  test(inside, done);
  b.seal(inside);
  b.setBlock(inside);
  first?.();
  p.loops.push({ next: again, done });
  lowerBlock(p, body);
  p.loops.pop();
  b.jump(again);
  b.seal(again);
  b.setBlock(again);
  next?.();
  b.jump(head);
  b.seal(head);
  b.seal(done);
  b.setBlock(done);
}
