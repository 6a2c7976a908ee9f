// What the kernel would not have: attach points that it refuses when they are attached.
import type { Config } from "../language/config.js";
import type { AttachPoint } from "../language/probe.js";
import { AttachError } from "../load/attach-error.js";
import type { OnRefused } from "../load/attach-port.js";
import type { VerifierError } from "../load/verifier-error.js";

type Refusal = AttachError | VerifierError;

/** Decides by missing_probes whether a refusal ends the trace, and collects what there is to say of the others. */
export class Refusals {
  private readonly missing: Config["missing_probes"];
  private readonly single: { readonly target: AttachPoint; readonly error: Refusal }[] = [];
  /** Found by wildcards; those of one place in the script together. */
  /** A probe at several places is one. */
  private readonly targets = new Set<AttachPoint>();
  private readonly found = new Map<number, { readonly target: AttachPoint; readonly error: Refusal; count: number }>();
  /** Number of attach points. */
  get count(): number {
    return this.targets.size;
  }

  constructor(missing: Config["missing_probes"]) {
    this.missing = missing;
  }

  readonly refused: OnRefused = (target, error) => {
    const named = error instanceof AttachError ? error.at(target.name, target.span) : error;
    if (this.missing === "error" && !target.byWildcard) throw named;
    this.targets.add(target);
    if (!target.byWildcard) this.single.push({ target, error: named });
    else {
      const group = this.found.get(target.span.start);
      if (group === undefined) this.found.set(target.span.start, { target, error: named, count: 1 });
      else group.count++;
    }
  };

  /** What was refused and why, one line each; nothing if the script wants it so. */
  warnings(): readonly string[] {
    if (this.missing === "ignore") return [];
    return [
      ...this.single.map(({ target, error }) => `Unable to attach probe: ${target.name}. Skipping. ${reasonOf(error)}`),
      ...Array.from(
        this.found.values(),
        ({ target, error, count }) =>
          `${count} attach point${count === 1 ? "" : "s"} of a wildcard left out that the kernel refuses; ${target.name}: ${reasonOf(error)}`,
      ),
    ];
  }
}

const reasonOf = (error: Refusal): string => (error instanceof AttachError ? error.why : error.message);
