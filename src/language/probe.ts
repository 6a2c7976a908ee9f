import type { ProgType } from "../abi/program-type.js";
import type { Diagnostics } from "../base/diagnostics.js";
import type { Span } from "../base/span.js";
import type { UsdtArgument } from "../formats/usdt-arguments.js";
import type { AddressSpace, Type } from "../types/type.js";
import type { AttachPlace } from "./attach-place.js";
import type { Attachment, AttachPort } from "./attach-port.js";
import type { Config } from "./config.js";
import type { KernelView } from "./kernel-view.js";
import type { FeatureName } from "./needs.js";
import type { ArgField, ArgSource } from "./typed.js";

/** What a program of this variant finds in its context. */
export type ContextLayout =
  /** Nothing of interest: begin, end. */
  | { readonly kind: "none" }
  /** struct pt_regs at offset 0: kprobe, uprobe, perf events. */
  | { readonly kind: "registers"; readonly space: "kernel" | "user" }
  /** The event's record as tracefs describes it. */
  | { readonly kind: "record" }
  /** u64 values: raw tracepoints, trampolines (fentry, fexit). */
  | { readonly kind: "slots" }
  /** struct bpf_iter__TYPE. `pinned`: what printf says goes into the file that is read, not into the ring. */
  | { readonly kind: "iterator"; readonly pinned: boolean }
  /**
   * One event standing in for one or many syscall tracepoints: the BTF raw tracepoint sys_enter(regs, id) or
   * sys_exit(regs, ret), or the records of raw_syscalls:sys_enter (id, args) and raw_syscalls:sys_exit (id, ret).
   */
  | {
      readonly kind: "syscall";
      readonly exit: boolean;
      readonly form: "raw" | "record";
      /** System call number to attach id. */
      readonly numbers: ReadonlyMap<number, number>;
    };

/** What a BPF program must be for an attach point; attach points of one key share a program. */
export interface ProgramVariant {
  readonly key: string;
  readonly type: ProgType;
  readonly expectedAttachType: number;
  readonly attachBtf?: { readonly name: string; readonly kind: "func" | "typedef" } | undefined;
  /** Loaded once for each attach point: the kernel wants to know the function when it checks the program. */
  readonly loadedForEach?: boolean;
  readonly context: ContextLayout;
  /** `args.x`; undefined where the probe type has no `args`. */
  readonly args?: readonly ArgField[] | undefined;
  /** `args` as a whole is a record with these fields. */
  readonly argsAreValues?: boolean;
  /** Types that the traced program knows, by their names as a script writes them. */
  findType?(name: string, space: AddressSpace): Type | undefined;
  /** Why `args` cannot be used here, for the message. */
  readonly noArgs?: string;
  /** Type of `retval`; undefined where there is none. */
  readonly retval?: Type | undefined;
  /** Where it is, if not in a register. */
  readonly retvalSource?: ArgSource | undefined;
  /** Whether `arg0`.. exist. */
  readonly hasArgN: boolean;
  /** Where they are, if it is not where functions are given theirs; more of them do not exist. */
  readonly numbered?: readonly UsdtArgument[];
  /** Whether `func` exists, and in which space its symbol is. */
  readonly func?: "kernel" | "user" | undefined;
  /** User space reads what `return` says; the kernel makes something of it in other programs, so that they return 0. */
  readonly readsResult?: boolean;
  /** It runs for the returns of user functions, of which the kernel sees those that are not nested too deep. */
  readonly userReturns?: boolean;
  /** Two runs of the program may interleave on one CPU (uprobes: only migration is off). */
  readonly preemptible: boolean;
}

/** One concrete attach point. */
export interface AttachPoint {
  /** Full name, what `probe` says: `kprobe:vfs_read`. */
  readonly name: string;
  /** What `func` says. */
  readonly func: string;
  readonly span: Span;
  /** The name of its probe type. */
  readonly probe: string;
  /** The program or library that it is in, as a path that opens it; undefined of other kinds of probes. */
  readonly file: string | undefined;
  readonly place: AttachPlace;
  /** A wildcard has found it: if the kernel refuses it, it is left out. */
  readonly byWildcard: boolean;
}

/** The same while the script is compiled. */
export interface Target extends AttachPoint {
  readonly provider: Probe;
}

/** A target and what program it wants; made by a probe type from one attach point of the script. */
export interface Candidate {
  readonly name: string;
  readonly func: string;
  /** See {@link Target.file}. */
  readonly file?: string;
  readonly place: AttachPlace;
  readonly variant: ProgramVariant;
  /** Further programs that the attach point needs; attach() is called for each and told by the variant which it is. */
  readonly otherVariants?: readonly ProgramVariant[];
}

/** What the action says about itself before targets are chosen: a cheaper attachment may do. */
export interface ActionFacts {
  readonly usesArgs: boolean;
  readonly usesKernelStack: boolean;
  readonly usesArgN: boolean;
  /** The numbers of those that have one: `arg2`, ascending. */
  readonly numberedArguments: readonly number[];
  /** Helpers are given arguments, whose types the verifier must know. */
  readonly usesTypedArgs: boolean;
  /** The action names types: in casts, declarations of variables, sizeof() ... */
  readonly usesTypeNames: boolean;
  /** It changes what the function returns. */
  readonly overrides: boolean;
}

/** One program and link for the entries and the returns of the same places. */
export interface SessionForm {
  readonly feature: FeatureName;
  /** The probe type of the returns. */
  readonly returns: string;
  /** Of the program that serves both. */
  readonly variant: ProgramVariant;
  /** The kernel's function that tells a program whether it runs for a return. */
  readonly isReturn: string;
  /** What a place must have in common with the other's; undefined: it can have no session. */
  key(place: AttachPlace): string | undefined;
}

export interface BindContext {
  readonly kernel: KernelView;
  readonly diags: Diagnostics;
  /** The attach point in the script. */
  readonly span: Span;
  /** As messages call it: `kprobe vmlinux:vfs_read`. */
  readonly written: string;
  readonly facts: ActionFacts;
  /** -p PID or the child of -c. */
  readonly pid: number | undefined;
  /** What to do about a probe that is not there: the setting missing_probes. */
  readonly missing: Config["missing_probes"];
  /** --unsafe: what seems not to be there is tried all the same. */
  readonly unsafe: boolean;
  /** What the attach points of the action name, this one too, as they are written. */
  readonly beside: readonly string[];
}

export type AttachItems = readonly { readonly target: AttachPoint; readonly id: bigint }[];

/** What attaching needs to know of a program. */
export type AttachedVariant = Pick<ProgramVariant, "key" | "expectedAttachType">;

/** When user space runs a program: as the trace begins and ends, at SIGUSR1, or as one of --test or --bench. */
export type Moment = "begin" | "end" | "signal" | "test" | "bench";

/** Everything about one probe type. */
export interface Probe {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly doc: string;
  /** The feature of the kernel without which there are none. */
  readonly needs?: FeatureName;
  /** Attach points as they are written, for messages: `kprobe:FUNCTION[+OFFSET]`. */
  readonly forms: readonly string[];
  /** All attach points that `parts` means, wildcards expanded; reports what is wrong. */
  bind(parts: readonly string[], context: BindContext): readonly Candidate[];
  /** Attaches one program to `items`, which all have its variant. */
  attach(port: AttachPort, program: string, variant: AttachedVariant, items: AttachItems): readonly Attachment[];
  /** Every attach point that the machine offers, as full names; in the files of a process, if one is given with -p. */
  list?(kernel: KernelView, parts: readonly string[], pid: number | undefined): Iterable<string>;
  /** Listed to those only who name the type: what a wildcard for types would show twice, or what is always the same. */
  readonly listedByType?: boolean;
  /** They are in files: list() has matched `parts`, which name one, and sorted; without them it lists nothing but a process's. */
  readonly listsFile?: boolean;
  /** Why list() finds nothing, if it is not that nothing matches: a file that is not there, or cannot be read. */
  whyNothing?(kernel: KernelView, parts: readonly string[], pid: number | undefined): string | undefined;
  /** What -lv says below the name: one `type name` a line. */
  describe?(name: string, kernel: KernelView): readonly string[];
  /** How entries share a program with the returns of the same places. */
  readonly session?: SessionForm;
  /** Of programs at one place the kernel runs the one first that was attached last. */
  readonly runsLastFirst?: boolean | ((variant: AttachedVariant, kernel: KernelView) => boolean);
  /** Runs for what there is when the trace begins; then nothing more can happen. */
  readonly finite?: boolean;
  /**
   * What the targets of the command line (-p, --tree, --cgroup ...) mean to it. `task` (also if left out): the task that
   * runs when it fires must be one of them. `attachment`: that task says nothing; -p is looked at when it is attached, the
   * others do not apply. `nothing`: none applies.
   */
  readonly limitedBy?: "task" | "attachment" | "nothing";
  /** Run by user space, by BPF_PROG_TEST_RUN, instead of being attached. */
  readonly moment?: Moment;
}
