// Bit numbers of include/linux/gfp_types.h, Linux 6.12 (since 6.10 they are an enum; from bit 23 on they depend on the
// kernel's configuration).
const bit = (n: number): bigint => 1n << BigInt(n);
const DMA = bit(0);
const HIGHMEM = bit(1);
const DMA32 = bit(2);
const MOVABLE = bit(3);
const HIGH = bit(5);
const IO = bit(6);
const FS = bit(7);
const ZERO = bit(8);
const DIRECT_RECLAIM = bit(10);
const KSWAPD_RECLAIM = bit(11);
const NOWARN = bit(13);
const COMP = bit(18);
const NOMEMALLOC = bit(19);
const HARDWALL = bit(20);
const ACCOUNT = bit(22);
const SKIP_KASAN = bit(25);

const RECLAIM = DIRECT_RECLAIM | KSWAPD_RECLAIM;
const KERNEL = RECLAIM | IO | FS;
const USER = KERNEL | HARDWALL;
const HIGHUSER = USER | HIGHMEM;
const HIGHUSER_MOVABLE = HIGHUSER | MOVABLE | SKIP_KASAN;
const TRANSHUGE_LIGHT = (HIGHUSER_MOVABLE | COMP | NOMEMALLOC | NOWARN) & ~RECLAIM;

/** Combinations before single bits, in the order of include/trace/events/mmflags.h, Linux 6.12. */
const names: readonly (readonly [bits: bigint, name: string])[] = [
  [TRANSHUGE_LIGHT | DIRECT_RECLAIM, "GFP_TRANSHUGE"],
  [TRANSHUGE_LIGHT, "GFP_TRANSHUGE_LIGHT"],
  [HIGHUSER_MOVABLE, "GFP_HIGHUSER_MOVABLE"],
  [HIGHUSER, "GFP_HIGHUSER"],
  [USER, "GFP_USER"],
  [KERNEL | ACCOUNT, "GFP_KERNEL_ACCOUNT"],
  [KERNEL, "GFP_KERNEL"],
  [RECLAIM | IO, "GFP_NOFS"],
  [HIGH | KSWAPD_RECLAIM, "GFP_ATOMIC"],
  [RECLAIM, "GFP_NOIO"],
  [KSWAPD_RECLAIM | NOWARN, "GFP_NOWAIT"],
  [DMA, "GFP_DMA"],
  [HIGHMEM, "__GFP_HIGHMEM"],
  [DMA32, "GFP_DMA32"],
  [HIGH, "__GFP_HIGH"],
  [IO, "__GFP_IO"],
  [FS, "__GFP_FS"],
  [ZERO, "__GFP_ZERO"],
  [DIRECT_RECLAIM, "__GFP_DIRECT_RECLAIM"],
  [KSWAPD_RECLAIM, "__GFP_KSWAPD_RECLAIM"],
  [bit(12), "__GFP_WRITE"],
  [NOWARN, "__GFP_NOWARN"],
  [bit(14), "__GFP_RETRY_MAYFAIL"],
  [bit(15), "__GFP_NOFAIL"],
  [bit(16), "__GFP_NORETRY"],
  [bit(17), "__GFP_MEMALLOC"],
  [COMP, "__GFP_COMP"],
  [NOMEMALLOC, "__GFP_NOMEMALLOC"],
  [HARDWALL, "__GFP_HARDWALL"],
  [bit(21), "__GFP_THISNODE"],
  [ACCOUNT, "__GFP_ACCOUNT"],
  [bit(23), "__GFP_ZEROTAGS"],
  [bit(24), "__GFP_SKIP_ZERO"],
  [SKIP_KASAN, "__GFP_SKIP_KASAN"],
  [bit(26), "__GFP_NO_OBJ_EXT"],
];

/** The flags of an allocation by name, `GFP_KERNEL|__GFP_ZERO`; bits without a name in hexadecimal. */
export function gfpText(flags: bigint): string {
  if (flags === 0n) return "0";
  const found: string[] = [];
  let left = flags;
  for (const [bits, name] of names) {
    if ((left & bits) !== bits) continue;
    found.push(name);
    left &= ~bits;
  }
  if (left !== 0n) found.push(`0x${left.toString(16)}`);
  return found.join("|");
}
