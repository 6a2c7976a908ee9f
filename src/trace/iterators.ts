import { EAGAIN } from "../abi/errno.js";
import { memory, zeroed } from "../abi/struct.js";
import type { Fd } from "../sys/fd.js";
import { iterCreate } from "../sys/link-calls.js";
import type { Sys } from "../sys/sys.js";
import { check } from "../sys/syscall-error.js";

/** Reading runs the program; what it reads into stays empty, because programs speak through the ring. */
const readSize = 4096;

/**
 * Reads an iterator to its end. A read stops, to go on with the same object at the next one, when the program asks for it
 * because the ring fills up, and after a million objects (bpf_seq_read(), kernel/bpf/bpf_iter.c, v5.8 to v6.18); `afterRead`
 * empties the ring, and answers whether to go on.
 */
export async function readIterator(sys: Sys, link: Fd, afterRead: () => Promise<boolean>): Promise<void> {
  using file = iterCreate(sys, link);
  const bytes = zeroed(readSize);
  for (;;) {
    const result = sys.call("read", file.raw, memory(bytes), bytes.length);
    if (result !== -EAGAIN) check(result, () => `read of ${file.what}`);
    const goOn = await afterRead();
    if (result === 0 || !goOn) return;
    // Signals are heard.
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
  }
}
