import * as op from "../../src/abi/bpf-insn.js";
import { helpers } from "../../src/abi/helpers.js";
import type { ProgramSpec, Relocation } from "../../src/bpf/object.js";
import { assemble, type Instruction } from "../../src/kernel/probe-program.js";

/** A program written by hand; the names are those of the kernel's own assembler, e.g. `mov`, `jne`. */
export class Assembler {
  private readonly instructions: Instruction[] = [];
  private readonly relocations: Relocation[] = [];
  private readonly labels = new Map<string, number>();
  private readonly jumps: { readonly at: number; readonly label: string }[] = [];

  get length(): number {
    return this.instructions.length;
  }

  raw(code: number, dst: number, src: number, offset: number, immediate: number): this {
    this.instructions.push([code, dst | (src << 4), offset, immediate]);
    return this;
  }

  movImm = (dst: number, value: number): this => this.raw(op.BPF_ALU64 | op.BPF_MOV | op.BPF_K, dst, 0, 0, value);
  mov = (dst: number, src: number): this => this.raw(op.BPF_ALU64 | op.BPF_MOV | op.BPF_X, dst, src, 0, 0);
  addImm = (dst: number, value: number): this => this.raw(op.BPF_ALU64 | op.BPF_ADD | op.BPF_K, dst, 0, 0, value);
  rshImm = (dst: number, value: number): this => this.raw(op.BPF_ALU64 | op.BPF_RSH | op.BPF_K, dst, 0, 0, value);
  load = (dst: number, base: number, offset: number): this =>
    this.raw(op.BPF_LDX | op.BPF_MEM | op.BPF_DW, dst, base, offset, 0);
  store = (base: number, offset: number, src: number): this =>
    this.raw(op.BPF_STX | op.BPF_MEM | op.BPF_DW, base, src, offset, 0);
  store32Imm = (base: number, offset: number, value: number): this =>
    this.raw(op.BPF_ST | op.BPF_MEM | op.BPF_W, base, 0, offset, value);
  atomicAdd = (base: number, offset: number, src: number): this =>
    this.raw(op.BPF_STX | op.BPF_ATOMIC | op.BPF_DW, base, src, offset, op.BPF_ADD);
  /** Jumps to a label, if dst differs from the value, is equal to it, or always. */
  jneImm = (dst: number, value: number, label: string): this => this.jump(op.BPF_JNE, dst, value, label);
  jeqImm = (dst: number, value: number, label: string): this => this.jump(op.BPF_JEQ, dst, value, label);
  ja = (label: string): this => this.jump(op.BPF_JA, 0, 0, label);
  label(name: string): this {
    this.labels.set(name, this.length);
    return this;
  }

  exit = (): this => this.raw(op.BPF_JMP | op.BPF_EXIT, 0, 0, 0, 0);

  call(helper: string): this {
    const found = helpers.get(helper);
    if (found === undefined) throw new Error(`no helper ${helper}`);
    return this.raw(op.BPF_JMP | op.BPF_CALL, 0, 0, 0, found.id);
  }

  loadMap(dst: number, map: string): this {
    this.relocations.push({ insn: this.length, kind: "map", map });
    return this.wide(dst);
  }

  loadMapValue(dst: number, map: string, offset: number): this {
    this.relocations.push({ insn: this.length, kind: "mapvalue", map, offset });
    return this.wide(dst);
  }

  loadCookie(dst: number): this {
    this.relocations.push({ insn: this.length, kind: "cookie" });
    return this.wide(dst);
  }

  program(spec: Pick<ProgramSpec, "name" | "type"> & Partial<ProgramSpec>): ProgramSpec {
    const code = assemble(this.instructions);
    for (const { at, label } of this.jumps) {
      const to = this.labels.get(label);
      if (to === undefined) throw new Error(`no label ${label}`);
      new DataView(code.buffer).setInt16(at * 8 + 2, to - at - 1, true);
    }
    return { expectedAttachType: 0, code, relocations: this.relocations, spans: [], functions: [], ...spec };
  }

  private jump(code: number, dst: number, value: number, label: string): this {
    this.jumps.push({ at: this.length, label });
    return this.raw(op.BPF_JMP | code | op.BPF_K, dst, 0, 0, value);
  }

  private wide(dst: number): this {
    return this.raw(op.loadImm64, dst, 0, 0, 0).raw(0, 0, 0, 0, 0);
  }
}
