import { type Memory, memory, zeroed } from "../abi/struct.js";
import type { Fd } from "./fd.js";
import type { Sys } from "./sys.js";

const POLLIN = 1;
const POLLOUT = 4;

/** An open descriptor of whoever owns it. */
type Descriptor = Pick<Fd, "raw">;

/** An array of struct pollfd (poll(2)), 8 bytes each. */
function pollSet(fds: readonly Descriptor[], events: number): Memory {
  const bytes = zeroed(8 * fds.length);
  const view = new DataView(bytes.buffer);
  for (const [i, fd] of fds.entries()) {
    view.setInt32(8 * i, fd.raw, true);
    view.setInt16(8 * i + 4, events, true);
  }
  return memory(bytes);
}

function timespec(milliseconds: number): Memory {
  const bytes = zeroed(16);
  const view = new DataView(bytes.buffer);
  view.setBigInt64(0, BigInt(Math.floor(milliseconds / 1000)), true);
  view.setBigInt64(8, BigInt(Math.floor((milliseconds % 1000) * 1e6)), true);
  return memory(bytes);
}

/** Waits in a thread of libuv's pool until one of the descriptors can be read; the promise tells whether one can. */
export const waitReadable = (sys: Sys, fds: readonly Descriptor[], milliseconds: number): Promise<boolean> =>
  wait(sys, fds, POLLIN, milliseconds);

/** The same until one can be written, or nobody reads it any more. */
export const waitWritable = (sys: Sys, fds: readonly Descriptor[], milliseconds: number): Promise<boolean> =>
  wait(sys, fds, POLLOUT, milliseconds);

async function wait(sys: Sys, fds: readonly Descriptor[], events: number, milliseconds: number): Promise<boolean> {
  return (await sys.callInThread("ppoll", pollSet(fds, events), fds.length, timespec(milliseconds), undefined, 8)) > 0;
}
