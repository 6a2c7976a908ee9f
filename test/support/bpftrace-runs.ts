// Random programs run by bpftrace: many as one script, whose maps it prints at the end.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Contents, Program } from "./program-ast.js";
import { byProgram, scriptOf } from "./random-runs.js";

export type Outcome =
  | { readonly kind: "ran"; readonly maps: Contents }
  /** What it says instead. */
  | { readonly kind: "refused"; readonly message: string };

export const inputOf = ({ inputs, seed }: Program): readonly bigint[] => inputs[seed % inputs.length] ?? [];

/** Why the reference cannot be run, if it cannot. */
export function missing(reference: string): string | undefined {
  const { error, status, stderr } = spawnSync(reference, ["--version"], { encoding: "utf8" });
  if (error !== undefined) return `${reference}: ${error.message}`;
  return status === 0 ? undefined : `${reference} --version: ${stderr}`;
}

/** What becomes of each program. One that is refused is left out; what the others do is seen without it. */
export function runInBpftrace(reference: string, programs: readonly Program[]): readonly Outcome[] {
  const refused = new Map<Program, string>();
  for (;;) {
    const rest = programs.filter((program) => !refused.has(program));
    const { maps, complaints } = runOnce(reference, rest);
    if (maps !== undefined) {
      const outcomes = new Map<Program, Outcome>();
      for (const [i, each] of byProgram(rest, maps).entries()) {
        const program = rest[i];
        if (program !== undefined) outcomes.set(program, { kind: "ran", maps: each });
      }
      return programs.map(
        (program) => outcomes.get(program) ?? { kind: "refused", message: refused.get(program) ?? "" },
      );
    }
    const before = refused.size;
    for (const [line, message] of complaints) {
      const program = rest[line - 1];
      if (program !== undefined && !refused.has(program)) refused.set(program, message);
    }
    if (refused.size > before) continue;
    // It does not say which one it is.
    const [only] = rest;
    if (rest.length === 1 && only !== undefined) {
      refused.set(only, complaints.map(([, message]) => message).join("; "));
      continue;
    }
    const half = programs.length >> 1;
    return [programs.slice(0, half), programs.slice(half)].flatMap((part) => runInBpftrace(reference, part));
  }
}

interface Run {
  readonly maps: readonly (readonly [string, Contents[string]])[] | undefined;
  /** By lines of the script; those that name none have line 0. */
  readonly complaints: readonly (readonly [number, string])[];
}

function runOnce(reference: string, programs: readonly Program[]): Run {
  if (programs.length === 0) return { maps: [], complaints: [] };
  const folder = mkdtempSync(join(tmpdir(), "beside-"));
  try {
    const path = join(folder, "programs.bt");
    writeFileSync(path, `${scriptOf(programs, inputOf)}begin { exit(); }\n`);
    const { stdout, stderr, status, signal } = spawnSync(reference, [path], {
      encoding: "utf8",
      maxBuffer: 1 << 28,
      timeout: 120_000,
      env: { ...process.env, BPFTRACE_MAX_MAP_KEYS: "4096" },
    });
    if (status === 0 && stdout.includes("@")) return { maps: parseMaps(stdout), complaints: [] };
    const errors = [...stderr.matchAll(/programs\.bt:(\d+):[\d-]+: ERROR: (.*)/g)];
    const complaints = errors.map(([, line, message]) => [Number(line), message ?? ""] as const);
    const others = stderr.split("\n").filter((line) => line.startsWith("ERROR"));
    const last = [0, others.join(" ") || `ended by ${signal ?? status}`] as const;
    return { maps: undefined, complaints: complaints.length > 0 ? complaints : [last] };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** `@name[key]: value`, as bpftrace prints maps of integers and texts. */
function parseMaps(output: string): Run["maps"] {
  const maps = new Map<string, Record<string, string>>();
  for (const [, name = "", keys = "", value = ""] of output.matchAll(/^(@\w*)(?:\[(.*?)\])?: (.*)$/gm)) {
    const entries = maps.get(name) ?? {};
    maps.set(name, entries);
    const key = keys === "" ? "" : keys.split(", ").map(unsigned).join();
    entries[key] = name.endsWith("s") ? JSON.stringify(value) : unsigned(value);
  }
  return [...maps];
}

const unsigned = (text: string): string => (/^-?\d+$/.test(text) ? `${BigInt.asUintN(64, BigInt(text))}` : text);
