import {
  BPF_BTF_GET_FD_BY_ID,
  BPF_BTF_GET_NEXT_ID,
  BPF_PROG_GET_FD_BY_ID,
  BPF_PROG_GET_NEXT_ID,
  btfInfo,
  fdByIdAttr,
  nextIdAttr,
  progInfo,
} from "../abi/bpf.js";
import { ENOENT } from "../abi/errno.js";
import { zeroed } from "../abi/struct.js";
import { bpf } from "./bpf-call.js";
import { Fd } from "./fd.js";
import { objGetInfo } from "./prog-calls.js";
import type { Sys } from "./sys.js";
import { check } from "./syscall-error.js";

/** Numbers of all objects of a kind that the kernel holds; needs CAP_SYS_ADMIN (kernel/bpf/syscall.c, bpf_obj_get_next_id()). */
function* ids(sys: Sys, command: number): Generator<number> {
  const at = nextIdAttr.fields.next_id[0];
  for (let id = 0; ; ) {
    const attr = nextIdAttr.encode({ start_id: id }, sys.addressOf);
    const result = bpf(sys, command, attr);
    if (result === -ENOENT) return;
    check(result, "bpf(BPF_*_GET_NEXT_ID)");
    id = new DataView(attr.bytes.buffer, attr.bytes.byteOffset).getUint32(at, true);
    yield id;
  }
}

/** A descriptor of an object by its number; undefined if it is gone by now. */
function open(sys: Sys, command: number, id: number, what: string): Fd | undefined {
  const result = bpf(sys, command, fdByIdAttr.encode({ prog_id: id }, sys.addressOf));
  return result === -ENOENT ? undefined : Fd.own(sys, check(result, `bpf(BPF_*_GET_FD_BY_ID, ${id})`), `${what} ${id}`);
}

export const programIds = (sys: Sys): Generator<number> => ids(sys, BPF_PROG_GET_NEXT_ID);

export const openProgram = (sys: Sys, id: number): Fd | undefined => open(sys, BPF_PROG_GET_FD_BY_ID, id, "program");

export const openBtf = (sys: Sys, id: number): Fd | undefined => open(sys, BPF_BTF_GET_FD_BY_ID, id, "BTF");

export interface ProgramFunctions {
  /** Number of the program's BTF, 0 if it has none. */
  readonly btfId: number;
  /** Types of its functions in there, the program itself first. */
  readonly typeIds: readonly number[];
}

/** The functions of a loaded program (since 5.0). */
export function programFunctions(sys: Sys, program: Fd): ProgramFunctions {
  const { btf_id, func_info, func_info_rec_size, nr_func_info } = progInfo.fields;
  const padded = (bytes: Uint8Array): DataView => {
    const whole = zeroed(progInfo.size);
    whole.set(bytes);
    return new DataView(whole.buffer);
  };
  const first = padded(objGetInfo(sys, program, progInfo.size));
  const count = first.getUint32(nr_func_info, true);
  const size = first.getUint32(func_info_rec_size, true);
  const btfId = first.getUint32(btf_id, true);
  if (btfId === 0 || count === 0 || size < 8) return { btfId, typeIds: [] };
  const records = zeroed(count * size);
  const filled = padded(
    objGetInfo(sys, program, progInfo.size, (view) => {
      view.setBigUint64(func_info, sys.addressOf(records), true);
      view.setUint32(func_info_rec_size, size, true);
      view.setUint32(nr_func_info, count, true);
    }),
  );
  // Those of somebody else's program may be hidden: then the count stays and the address is zero.
  if (filled.getUint32(nr_func_info, true) < count) return { btfId, typeIds: [] };
  const view = new DataView(records.buffer);
  // struct bpf_func_info: u32 insn_off, u32 type_id.
  return { btfId, typeIds: Array.from({ length: count }, (_, i) => view.getUint32(i * size + 4, true)) };
}

/** The types that a BTF holds, as in a file. */
export function readBtf(sys: Sys, btf: Fd): Uint8Array {
  const { fields, size } = btfInfo;
  const read = (into: Uint8Array<ArrayBuffer> | undefined): DataView => {
    const bytes = objGetInfo(sys, btf, size, (view) => {
      if (into === undefined) return;
      view.setBigUint64(fields.btf, sys.addressOf(into), true);
      view.setUint32(fields.btf_size, into.length, true);
    });
    return new DataView(bytes.buffer, bytes.byteOffset);
  };
  const types = zeroed(read(undefined).getUint32(fields.btf_size, true));
  read(types);
  return types;
}

/** Longer than MODULE_NAME_LEN (include/linux/module.h). */
const nameRoom = 64;

/** The BTF of a module of the kernel, which programs name as what they attach to (since 5.11); undefined if it has none. */
export function openModuleBtf(sys: Sys, module: string): Fd | undefined {
  const { fields, size } = btfInfo;
  for (const id of ids(sys, BPF_BTF_GET_NEXT_ID)) {
    const btf = openBtf(sys, id);
    if (btf === undefined) continue;
    const name = zeroed(nameRoom);
    const info = objGetInfo(sys, btf, size, (view) => {
      view.setBigUint64(fields.name, sys.addressOf(name), true);
      view.setUint32(fields.name_len, name.length, true);
    });
    const isKernels = new DataView(info.buffer, info.byteOffset).getUint32(fields.kernel_btf, true) !== 0;
    if (isKernels && Buffer.from(name.subarray(0, name.indexOf(0))).toString() === module) return btf;
    btf[Symbol.dispose]();
  }
  return undefined;
}
