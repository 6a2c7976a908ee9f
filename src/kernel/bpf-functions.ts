import { btfId } from "../base/branded.js";
import { FormatError } from "../base/errors.js";
import { Btf } from "../formats/btf.js";
import type { BpfFunction } from "../language/kernel-view.js";
import { openBtf, openProgram, programFunctions, programIds, readBtf } from "../sys/object-list.js";
import type { Sys } from "../sys/sys.js";
import { SyscallError } from "../sys/syscall-error.js";

/** Functions of the BPF programs that have type information; none where they may not be listed. */
export function readBpfFunctions(sys: Sys): readonly BpfFunction[] {
  try {
    return [...programIds(sys)].flatMap((id) => functionsOf(sys, id));
  } catch (error) {
    if (error instanceof SyscallError) return [];
    throw error;
  }
}

function functionsOf(sys: Sys, id: number): readonly BpfFunction[] {
  using program = openProgram(sys, id);
  if (program === undefined) return [];
  const { btfId: btfNumber, typeIds } = programFunctions(sys, program);
  if (typeIds.length === 0) return [];
  using fd = openBtf(sys, btfNumber);
  if (fd === undefined) return [];
  try {
    const btf = Btf.parse(readBtf(sys, fd));
    return typeIds.map((typeId) => ({ program: id, name: btf.nameOf(btfId(typeId)), typeId: btfId(typeId) }));
  } catch (error) {
    // Somebody else's, and unlike any that we know.
    if (error instanceof FormatError) return [];
    throw error;
  }
}
