import type { KprobeTarget } from "../language/attach-port.js";
import { entryOf } from "../language/function-entries.js";
import type { KernelView } from "../language/kernel-view.js";

type Place = Omit<KprobeTarget, "ret">;

/** The kernel's list of its symbols. */
export type Symbols = Pick<KernelView, "kernelSymbols">;

export const noSymbols: Symbols = { kernelSymbols: () => [] };

/**
 * The places with the addresses at which their functions begin, which is where a program finds its cookie by
 * (bpf_kprobe_multi_cookie(), kernel/trace/bpf_trace.c, v5.18 to v6.18); undefined where nobody says so: by its name the
 * kernel might find another function that is called alike.
 */
export const atEntries = (symbols: Symbols, places: readonly Place[]): readonly (Place | undefined)[] =>
  places.map((place) => {
    const { symbol, address, isFtraceAddress } = place;
    if (address === undefined || isFtraceAddress !== true) return place;
    const entry = entryOf(symbols, symbol, address);
    return entry === undefined ? undefined : { ...place, address: entry };
  });

export const noEntry = "the kernel's list of symbols does not say where the function begins";
