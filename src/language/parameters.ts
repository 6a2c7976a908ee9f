/** A named parameter that the script asks for by getopt(). */
export interface Parameter {
  readonly name: string;
  readonly fallback: bigint | boolean | string;
  readonly description: string;
}

/** What getopt() finds: the words `--name=value` behind the script's `--`, and which of them the script knows. */
export class Parameters {
  /** A parameter without `=` is `true`. */
  readonly given: ReadonlyMap<string, string>;
  private readonly known = new Map<string, Parameter>();

  constructor(given: ReadonlyMap<string, string>) {
    this.given = given;
  }

  /** Notes what the script asks for; answers the earlier call with another default, if there was one. */
  declare(parameter: Parameter): Parameter | undefined {
    const known = this.known.get(parameter.name);
    if (known !== undefined && known.fallback !== parameter.fallback) return known;
    if (known === undefined || known.description === "") this.known.set(parameter.name, parameter);
    return undefined;
  }

  get declared(): readonly Parameter[] {
    return [...this.known.values()];
  }

  /** Names that were given and that the script does not ask for. */
  unknown(): readonly string[] {
    return [...this.given.keys()].filter((name) => !this.known.has(name));
  }
}
