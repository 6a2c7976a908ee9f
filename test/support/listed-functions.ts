import { type FunctionList, functionList, type KernelFunction } from "../../src/language/kernel-functions.js";

/** A list of functions that are at hand. */
export const listedFunctions = (all: readonly KernelFunction[]): FunctionList =>
  functionList(
    () => all.map(({ name }) => name),
    (wanted) => all.filter(({ name }) => name === wanted),
  );
