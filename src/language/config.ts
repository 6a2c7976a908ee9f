/** A setting of the `config` block and of the environment variable `BPFTRACE_` + its name in capitals. */
export interface ConfigKey<T> {
  readonly doc: string;
  readonly fallback: T;
  /** The value, or what is wrong with the text. */
  parse(text: string): { readonly value: T } | { readonly problem: string };
}

const natural = (doc: string, fallback: number, min = 0, max = Number.MAX_SAFE_INTEGER): ConfigKey<number> => ({
  doc,
  fallback,
  parse: (text) => {
    const value = /^(?:0x[0-9a-f]+|[0-9]+)$/i.test(text) ? Number(text) : Number.NaN;
    if (!Number.isSafeInteger(value)) return { problem: "It must be a whole number" };
    return value < min || value > max ? { problem: `It must be between ${min} and ${max}` } : { value };
  },
});

const choice = <const T extends string>(doc: string, choices: readonly T[], fallback: NoInfer<T>): ConfigKey<T> => ({
  doc,
  fallback,
  parse: (text) => {
    const value = choices.find((c) => c.toLowerCase() === text.toLowerCase());
    return value === undefined ? { problem: `Valid values: ${choices.join(", ")}` } : { value };
  },
});

const flag = (doc: string, fallback: boolean): ConfigKey<boolean> => ({
  doc,
  fallback,
  parse: (text) => {
    if (/^(?:1|true)$/i.test(text)) return { value: true };
    return /^(?:0|false)$/i.test(text) ? { value: false } : { problem: "It must be true or false" };
  },
});

const text = (doc: string, fallback: string): ConfigKey<string> => ({ doc, fallback, parse: (value) => ({ value }) });

/** bpftrace asks for these before it does what is new; here all of it is there. */
const unstable = (what: string): ConfigKey<string> =>
  choice(
    `Accepted as bpftrace does: ${what} can always be used.`,
    ["enable", "warn", "error", "1", "0", "true", "false"],
    "enable",
  );

/** Every setting; names are bpftrace's, so that its scripts and environments work. */
export const configKeys = {
  max_map_keys: natural("Keys that a map can hold.", 4096, 1, 0xffff_ffff),
  max_strlen: natural("Bytes of a string made by str() and its like, its end included.", 1024, 1, 65536),
  max_probes: natural("Attach points that a script may have.", 1024, 1),
  max_cat_bytes: natural("Bytes of a file that cat() prints.", 10240),
  on_stack_limit: natural("Bytes of a value up to which it is kept on the program's stack of 512 bytes.", 64, 0, 256),
  perf_rb_pages: natural(
    "Pages of the ring buffer that events travel through; a power of two. If it is not set: four times as many where stacks are printed, and 8 times as many a processor, at most 32 times, where memory of stacks is sent to be unwound in user space.",
    2048,
    1,
  ),
  str_trunc_trailer: text("What is printed behind a string that was cut.", ".."),
  stack_mode: choice("How stacks are printed.", ["bpftrace", "perf", "raw", "build_id"], "bpftrace"),
  ustack_by: choice(
    "How ustack finds callers: by frame pointers or by unwinding tables (x86-64, Linux 5.17); auto takes the tables where the program of -p, -c, --dwarf-pid or --tree, or a library of it, keeps no frame pointers; if nobody is named, where the C library keeps none.",
    ["auto", "frame_pointers", "tables"],
    "auto",
  ),
  missing_probes: choice("What to do about attach points that do not exist.", ["error", "warn", "ignore"], "error"),
  json_keys: choice(
    'How JSON has the keys of maps: text as bpftrace writes it, where ["a,b", "c"] and ["a", "b,c"] are the same, or entries, an array of {"key": [...], "value": ...} with parts of their types.',
    ["text", "entries"],
    "text",
  ),
  print_maps_on_exit: flag("Whether maps are printed at the end.", true),
  cache_user_symbols: choice(
    "Accepted as bpftrace does; symbols are cached by file and process.",
    ["per_pid", "per_program", "none"],
    "per_pid",
  ),
  license: choice(
    "Licence that the programs are loaded with; some helpers of the kernel want one that the GPL agrees with.",
    ["Dual MIT/GPL", "Dual BSD/GPL", "Dual MPL/GPL", "GPL and additional rights", "GPL v2", "GPL"],
    "GPL",
  ),
  show_debug_info: flag(
    "Stacks of programs show lines of the source and inlined functions, where there is debugging information (of sections that are compressed at most 256 MiB a file).",
    true,
  ),
  use_blazesym: flag("Accepted as bpftrace did; symbols are looked up by beetrace itself.", true),
  unstable_import: unstable("import"),
  unstable_map_decl: unstable("map declarations"),
  unstable_tseries: unstable("tseries()"),
  unstable_addr: unstable("the address of a variable"),
  unstable_typeinfo: unstable("typeinfo()"),
  unstable_dw_ustack: unstable("stacks by DWARF"),
  lazy_symbolication: flag("Accepted as bpftrace does; symbols are always looked up when they are printed.", true),
  log_size: natural("Accepted as bpftrace does; the verifier's log is never cut.", 1_000_000),
  max_bpf_progs: natural("BPF programs that a script may become.", 1024, 1),
  dummy_ts_map: text("A map without a key that tseries() takes its time from, in nanoseconds; for tests.", ""),
  cpp_demangle: flag("Whether C++ names are shown as they are written in the source.", true),
} as const satisfies Record<string, ConfigKey<unknown>>;

export type ConfigName = keyof typeof configKeys;
type ValueOf<K> = K extends ConfigKey<infer T> ? T : never;
export type Config = { readonly [K in ConfigName]: ValueOf<(typeof configKeys)[K]> };

export const isConfigName = (name: string): name is ConfigName => Object.hasOwn(configKeys, name);

export const defaultConfig: Config = Object.fromEntries(
  Object.entries(configKeys).map(([name, key]) => [name, key.fallback]),
) as Config;

/** Names that settings had in older versions of bpftrace. */
const oldNames: ReadonlyMap<string, string> = new Map([
  ["strlen", "max_strlen"],
  ["cat_bytes_max", "max_cat_bytes"],
  ["map_keys_max", "max_map_keys"],
]);

/** `BPFTRACE_MAX_STRLEN`, `MAX_STRLEN` and `max_strlen` are one setting. */
export function configNameOf(written: string): string {
  const name = written.toLowerCase().replace(/^bpftrace_/, "");
  return oldNames.get(name) ?? name;
}
