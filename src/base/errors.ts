/** The machine, a file or the caller's input is at fault; `message` is for the user. Everything else is a bug of ours. */
export class BeetraceError extends Error {
  /** What the user can do about it, a sentence; absent where there is nothing to say. */
  readonly hint: string | undefined;

  constructor(message: string, options: { readonly cause?: unknown; readonly hint?: string } = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.name = new.target.name;
    this.hint = options.hint;
  }
}

/** Foreign bytes or text (ELF, BTF, DWARF, tracefs, /proc) do not have the form that they must have. */
export class FormatError extends BeetraceError {}
