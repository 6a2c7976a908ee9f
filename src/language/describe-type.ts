import type { Type } from "../types/type.js";

/** A type as messages call it, in the language's own words: `uint64`, `struct file *`, `string[16]`. */
export function describeType(type: Type): string {
  switch (type.kind) {
    case "none":
      return "void";
    case "int":
      return `${type.signed ? "" : "u"}int${type.size * 8}`;
    case "string":
      return `string[${type.size}]`;
    case "buffer":
      return `buffer[${type.size}]`;
    case "pointer":
      return `${describeType(type.to)}${type.to.kind === "pointer" ? "*" : " *"}`;
    case "record":
    case "enum":
      return type.name;
    case "array":
      return `${describeType(type.of)}[${type.count}]`;
    case "tuple":
      return type.names === undefined
        ? `(${type.items.map(describeType).join(",")})`
        : `{ ${type.items.map((item, i) => `.${type.names?.[i]} = ${describeType(item)}`).join(", ")} }`;
    case "stack":
      return type.user ? "ustack" : "kstack";
    case "hist":
      return type.bits === 0 ? "hist" : `hist(n, ${type.bits})`;
    case "tseries":
      return `tseries(n, ${type.interval}, ${type.intervals}${type.keep === "last" ? "" : `, "${type.keep}"`})`;
    case "lhist":
      return `lhist(n, ${type.min}, ${type.max}, ${type.step})`;
    default:
      return type.kind;
  }
}
