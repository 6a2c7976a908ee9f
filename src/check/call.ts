import { nearest } from "../base/nearest.js";
import type { Span } from "../base/span.js";
import type { CheckContext, Param } from "../language/builtin.js";
import { builtinNames, findBuiltin } from "../language/builtins/index.js";
import { nameAsText } from "../language/builtins/target-text.js";
import { describeType } from "../language/describe-type.js";
import { findMapFunction, mapFunctions } from "../language/map-functions/index.js";
import type { TypedArg, TypedExpr } from "../language/typed.js";
import type { AstCall, AstExpr } from "../syntax/ast.js";
import { none } from "../types/type.js";
import type { ExpressionChecker } from "./expression.js";
import { mapAccess, undefinedMap } from "./map-access.js";

/** A call of a builtin, or its name alone. */
export function checkCall(checker: ExpressionChecker, call: AstCall): TypedExpr {
  const { scope } = checker;
  const builtin = findBuiltin(call.name);
  if (builtin === undefined) return unknownFunction(checker, call);
  if (builtin.unsafe === true && !scope.unsafe) {
    checker.error(
      "unsafe",
      call.nameSpan,
      `${call.name}() is unsafe. To use you need the --unsafe flag`,
      "it can change the system: run beetrace --unsafe ... if you mean it",
    );
  }
  const params = builtin.params ?? [];
  const args = checkArgs(checker, call.name, ...keyInBrackets(params, call.args), call.span);
  if (args === undefined) return checker.broken(call.span);
  const context = contextFor(checker, call.span);
  const type = builtin.result(context, args);
  return builtin.rewrite?.(context, args, type) ?? { kind: "builtin", builtin, args, type, span: call.span };
}

/** `delete(@m, key)` is another way to write `delete(@m[key])`: parameters and arguments as if that had been written. */
function keyInBrackets(
  params: readonly Param[],
  args: readonly AstExpr[],
): readonly [params: readonly Param[], args: readonly AstExpr[]] {
  const [map, key, ...rest] = args;
  if (params[0]?.keyFollows !== true || map?.kind !== "map" || key === undefined || map.keys !== undefined)
    return [params, args];
  return [
    [params[0], ...params.slice(2)],
    [{ ...map, keys: [key] }, ...rest],
  ];
}

export function contextFor(checker: ExpressionChecker, span: Span): CheckContext {
  const { scope } = checker;
  return {
    span,
    variant: scope.variant,
    kernel: scope.kernel,
    findType: (name, space) => {
      const found = scope.types.find(name, space, scope.variant.findType);
      return found !== undefined && "kind" in found ? found : undefined;
    },
    config: scope.config,
    diags: scope.diags,
    probeName: scope.targets[0]?.name ?? "this probe",
    probeType: scope.targets[0]?.provider.moment === undefined ? (scope.targets[0]?.provider.name ?? "") : "special",
    mapTypes: (name) => {
      const map = scope.env.map(name);
      return map?.value === undefined ? undefined : { key: map.key, value: map.value };
    },
    unsafe: scope.unsafe,
    parameters: scope.parameters,
    childPid: scope.childPid,
    hasUnwindTargets: scope.hasUnwindTargets,
    userStacks: scope.userStacks,
    registerNames: () => scope.registerNames,
    wantStackLengths: () => {
      scope.env.stackLengths = true;
    },
    userSymbol: (name) => scope.kernel.userSymbol(scope.targets[0]?.file ?? "", name, scope.targets[0]?.func ?? ""),
  };
}

function unknownFunction(checker: ExpressionChecker, call: AstCall): TypedExpr {
  if (findMapFunction(call.name) !== undefined) {
    checker.error(
      "map-function",
      call.span,
      `${call.name}() only makes sense when it is assigned to a map`,
      `@ = ${call.name}(...)`,
    );
  } else {
    const near = nearest(call.name, [...builtinNames, ...mapFunctions.map((f) => f.name)]);
    checker.error(
      "unknown-function",
      call.nameSpan,
      `there is no function '${call.name}'`,
      near === undefined ? undefined : `did you mean '${near}'?`,
    );
  }
  for (const arg of call.args) checker.check(arg);
  return checker.broken(call.span);
}

/** Arguments by the kinds of their parameters; undefined if their number is wrong. */
export function checkArgs(
  checker: ExpressionChecker,
  name: string,
  params: readonly Param[],
  given: readonly AstExpr[],
  span: Span,
): readonly TypedArg[] | undefined {
  const least = params.filter((p) => p.optional !== true).length;
  const most = params.at(-1)?.rest === true ? Number.POSITIVE_INFINITY : params.length;
  if (given.length < least || given.length > most) {
    const wanted =
      least === most ? `${least}` : most === Number.POSITIVE_INFINITY ? `at least ${least}` : `${least} to ${most}`;
    checker.error(
      "argument-count",
      span,
      `${name}() takes ${wanted} argument${wanted.endsWith("1") ? "" : "s"}, not ${given.length}`,
      `${name}(${params.map(showParam).join(", ")})`,
    );
    for (const arg of given) checker.check(arg);
    return undefined;
  }
  return given.map((arg, i) =>
    checkArg(
      checker,
      name,
      params[i] ?? params.at(-1) ?? { name: "value", kind: "any" },
      arg,
      i === 1 ? given[0] : undefined,
    ),
  );
}

const showParam = (param: Param): string =>
  `${param.optional === true ? "[" : ""}${param.name}${param.rest === true ? " ..." : ""}${param.optional === true ? "]" : ""}`;

function checkArg(
  checker: ExpressionChecker,
  name: string,
  param: Param,
  arg: AstExpr,
  first: AstExpr | undefined,
): TypedArg {
  const value = (e: TypedExpr): TypedArg => ({ kind: "value", value: e });
  const { span } = arg;
  switch (param.kind) {
    case "any":
    case "text": {
      if (arg.kind === "positional" && param.positionalText === true)
        return value(positionalText(checker, arg.index, span));
      const e = someValue(checker, name, arg);
      return value(param.kind === "text" ? nameAsText(e, checker.scope.allTargets) : e);
    }
    case "int":
      return value(checker.number(arg));
    case "address": {
      const e = checker.check(arg);
      // Text of the script itself lies nowhere before it is stored.
      const fits = ["pointer", "int", "array", "record", "string"].includes(e.type.kind) && e.kind !== "text";
      if (!fits) checker.error("type-mismatch", span, `${name}() takes an address here, not ${describeType(e.type)}`);
      return value(e);
    }
    case "string": {
      const e = nameAsText(checker.check(arg), checker.scope.allTargets);
      if (e.type.kind !== "string")
        checker.error(
          "type-mismatch",
          span,
          `${name}() takes text here, not ${describeType(e.type)}`,
          "str() reads the text at an address",
        );
      return value(e);
    }
    case "literal-string":
      return literalString(checker, name, param, arg);
    case "literal-int":
      return literalInt(checker, name, param, arg);
    case "word":
    case "word-or-int":
      if (arg.kind === "name") return { kind: "word", word: arg.name, span };
      if (param.kind === "word-or-int") return literalInt(checker, name, param, arg);
      checker.error("bad-argument", span, `${name}() takes a word here: ${param.name}`);
      return { kind: "word", word: "", span };
    case "type":
      if (arg.kind === "type") return { kind: "type", type: checker.type(arg.type), span };
      checker.error("bad-argument", span, `${name}() takes a type here`, "write it as typeof(struct file)");
      return { kind: "type", type: none, span };
    case "member-path": {
      const word = memberPath(arg);
      if (word === undefined) checker.error("bad-argument", span, `${name}() takes the name of a member here`);
      return { kind: "word", word: word ?? "", span };
    }
    case "receiver":
      return value(receiver(checker, name, arg, first));
    case "map":
    case "entry":
    case "entry-or-map":
    case "printable":
      return mapArg(checker, name, param, arg, first);
  }
}

/** A variable that is to hold what the map of the first argument holds. */
function receiver(checker: ExpressionChecker, name: string, arg: AstExpr, first: AstExpr | undefined): TypedExpr {
  const { scope } = checker;
  const { span } = arg;
  if (arg.kind !== "variable") {
    checker.error("bad-argument", span, `${name}() takes a variable here, which gets the value`, "e.g. $value");
    return checker.broken(span);
  }
  const id = scope.variables.find(arg.name)?.id ?? scope.variables.make(arg.name, span);
  const held = first?.kind === "map" ? scope.env.map(first.name)?.value : undefined;
  if (held !== undefined)
    scope.env.assign(scope.prefix + id, arg.name, { type: held, flexible: false }, span, scope.diags);
  const type = scope.env.variable(scope.prefix + id);
  return type === undefined ? checker.broken(span) : { kind: "variable", name: id, type, span };
}

/** An argument of any type: what has no value, as a block without one or a call for its effect, is no argument. */
function someValue(checker: ExpressionChecker, name: string, arg: AstExpr): TypedExpr {
  const e = checker.check(arg);
  if (e.type.kind === "none" && checker.scope.final && !checker.scope.diags.failed)
    checker.error("no-value", arg.span, `${name}() takes a value here, and this has none`);
  return e;
}

/** `a.b.c` as it is written. */
function memberPath(e: AstExpr): string | undefined {
  if (e.kind === "name") return e.name;
  if (e.kind !== "member" || e.arrow) return undefined;
  const object = memberPath(e.object);
  return object === undefined ? undefined : `${object}.${e.name}`;
}

function positionalText(checker: ExpressionChecker, index: number, span: Span): TypedExpr {
  return checker.text(checker.scope.positional[index - 1] ?? "", span);
}

function literalString(checker: ExpressionChecker, name: string, param: Param, arg: AstExpr): TypedArg {
  const { span } = arg;
  if (arg.kind === "positional") return { kind: "literal", value: checker.scope.positional[arg.index - 1] ?? "", span };
  let e = checker.check(arg);
  // What a macro without statements gives.
  while (e.kind === "block" && e.body.length === 0) e = e.value;
  if (e.kind === "text") return { kind: "literal", value: e.value, span };
  if (
    e.kind === "builtin" &&
    e.builtin.name === "str" &&
    e.args[0]?.kind === "value" &&
    e.args[0].value.kind === "text"
  ) {
    return { kind: "literal", value: e.args[0].value.value, span };
  }
  checker.error(
    "bad-argument",
    span,
    `${name}() needs a literal text as its ${param.name}`,
    'write it in quotes: "..."',
  );
  return { kind: "literal", value: "", span };
}

function literalInt(checker: ExpressionChecker, name: string, param: Param, arg: AstExpr): TypedArg {
  const e = checker.check(arg);
  if (e.kind === "const") return { kind: "literal", value: e.value, span: arg.span };
  checker.error("bad-argument", arg.span, `${name}() needs a literal number as its ${param.name}`);
  return { kind: "literal", value: 1n, span: arg.span };
}

function mapArg(
  checker: ExpressionChecker,
  name: string,
  param: Param,
  arg: AstExpr,
  _first: AstExpr | undefined,
): TypedArg {
  const { scope } = checker;
  const { span } = arg;
  if (arg.kind !== "map") {
    if (param.kind === "printable") return { kind: "value", value: someValue(checker, name, arg) };
    checker.error("bad-argument", span, `${name}() takes a map here`, `e.g. ${name}(@x)`);
    return { kind: "map", map: "@", span };
  }
  const known = scope.env.map(arg.name);
  if (known?.value === undefined && scope.final) undefinedMap(checker, arg.name, span);
  if (arg.keys !== undefined) {
    if (param.kind === "map")
      checker.error("bad-argument", span, `${name}() takes a whole map`, `leave the key out: ${name}(${arg.name})`);
    return { kind: "entry", access: mapAccess(checker, arg), span };
  }
  if (param.kind === "entry-or-map" || param.kind === "entry") {
    return { kind: "entry", access: { map: arg.name, key: [], span }, span };
  }
  return { kind: "map", map: arg.name, span };
}
