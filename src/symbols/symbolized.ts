import type { CodePlace } from "../formats/dwarf-places.js";

/**
 * Why an address has no name; in the words of -v and of JSON.
 *
 *   unmapped       nothing is there
 *   anonymous      no file is: code made at run time, stacks, the heap
 *   stripped       the file has no symbol for the address
 *   unreadable     the file cannot be opened, is another one by now, or is no ELF file
 *   process-gone   the process had ended before anything was known of it
 *   no-permission  /proc does not show what the process has mapped
 *   forgotten      too many processes have run since it ended
 *   ambiguous      several programs ran in the process, one after the other, and had different things there
 *   untrusted-map  the code was made at run time, and the file with its names belongs to another user
 *   map-too-large  as before, and the file with its names is longer than what is read of it
 *   hidden         the kernel does not show its addresses (kptr_restrict)
 */
export type MissingName =
  | "unmapped"
  | "anonymous"
  | "stripped"
  | "unreadable"
  | "process-gone"
  | "no-permission"
  | "forgotten"
  | "ambiguous"
  | "untrusted-map"
  | "map-too-large"
  | "hidden";

/** What lies at an address. Not to find a name is a result. */
export type Symbolized =
  | {
      readonly kind: "symbol";
      /** Demangled, unless that was turned off. */
      readonly name: string;
      /** Bytes from the start of the symbol. */
      readonly offset: bigint;
      /** Path as the process sees it, or the kernel module; undefined for the kernel itself. */
      readonly module: string | undefined;
      /** Where in the source, if that was asked for and debugging information tells. */
      readonly code?: CodePlace;
    }
  | {
      readonly kind: "unknown";
      readonly reason: MissingName;
      /** Known even where the name is not. */
      readonly module: string | undefined;
    };

export const unknown = (reason: MissingName, module?: string | undefined): Symbolized => ({
  kind: "unknown",
  reason,
  module,
});
