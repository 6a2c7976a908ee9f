// Whether code keeps frame pointers, as its unwinding tables tell.

import type { CallFrameState } from "./call-frame.js";
import { EhFrame, type Fde } from "./eh-frame-entries.js";
import type { Elf } from "./elf.js";
import { x86CallFrame } from "./unwind-rule.js";

/** Functions of a file, or of an even sample of them, that have a frame. */
export interface FrameCount {
  /** Those that find their callers by the frame pointer. */
  readonly framed: number;
  /** Those that put something on their stack and go by the stack pointer all the time. */
  readonly frameless: number;
}

/** Functions that are looked at of one file: enough for the share, and over in some milliseconds. */
const mostFunctions = 1024;

/** Bytes of `.eh_frame` that are read, see unwind-rows.ts. */
const mostBytes = 256 << 20;

/** Looks at the functions that `.eh_frame` of a file tells of. */
export function countFrames(elf: Elf): FrameCount {
  const section = elf.section(".eh_frame");
  const count = { framed: 0, frameless: 0 };
  if (section === undefined || section.size > mostBytes) return count;
  const frame = new EhFrame(elf.data(section), Number(section.address), `${elf.what}: .eh_frame`);
  const places = frame.places();
  const step = Math.max(1, places.length / mostFunctions);
  for (let i = 0; i < places.length; i += step) {
    const place = places[Math.floor(i)];
    const fde = place === undefined ? undefined : frame.read(place);
    if (fde === undefined) continue;
    const kind = frameOf(frame, fde);
    if (kind !== "none") count[kind]++;
  }
  return count;
}

function frameOf(frame: EhFrame, fde: Fde): "framed" | "frameless" | "none" {
  let [framed, frameless] = [false, false];
  const look = ({ cfa }: CallFrameState): void => {
    // The linker's table of jumps to other files is no function.
    if (cfa.of === "plt") [framed, frameless] = [false, false];
    else if (cfa.of !== "register") return;
    else if (cfa.register === x86CallFrame.framePointer) framed = true;
    // At its first instruction, and in what calls nothing, the return address is all that there is.
    else if (cfa.register === x86CallFrame.stackPointer && cfa.offset > x86CallFrame.word) frameless = true;
  };
  look(frame.run(fde, (_until, state) => look(state)));
  if (framed) return "framed";
  return frameless ? "frameless" : "none";
}

/** Assembly keeps no frame pointers anywhere; compilers keep them in all functions of a file or in few. */
const enough = 0.9;

/** Whether stacks that lead through the file can go by frame pointers. */
export const keepsFramePointers = ({ framed, frameless }: FrameCount): boolean =>
  framed >= enough * (framed + frameless);
