/**
 * Opcodes of eBPF: Documentation/bpf/standardization/instruction-set.rst (RFC 9669) and include/uapi/linux/bpf.h. An
 * instruction is 8 bytes: code, dst (low half of the byte) and src (high half), 16-bit offset, 32-bit immediate.
 */

// Instruction classes (low three bits).
export const BPF_LD = 0x00;
export const BPF_LDX = 0x01;
export const BPF_ST = 0x02;
export const BPF_STX = 0x03;
export const BPF_ALU = 0x04;
export const BPF_JMP = 0x05;
export const BPF_JMP32 = 0x06;
export const BPF_ALU64 = 0x07;

// Width of a load or store.
export const BPF_W = 0x00;
export const BPF_H = 0x08;
export const BPF_B = 0x10;
export const BPF_DW = 0x18;

// Mode of a load or store.
export const BPF_IMM = 0x00;
export const BPF_MEM = 0x60;
/** Sign-extending load, cpu v4. */
export const BPF_MEMSX = 0x80;
export const BPF_ATOMIC = 0xc0;

// Where the second operand is.
export const BPF_K = 0x00;
export const BPF_X = 0x08;

// Arithmetic.
export const BPF_ADD = 0x00;
export const BPF_SUB = 0x10;
export const BPF_MUL = 0x20;
/** Signed when the offset field is 1 (cpu v4). */
export const BPF_DIV = 0x30;
export const BPF_OR = 0x40;
export const BPF_AND = 0x50;
export const BPF_LSH = 0x60;
export const BPF_RSH = 0x70;
export const BPF_NEG = 0x80;
/** Signed when the offset field is 1 (cpu v4). */
export const BPF_MOD = 0x90;
export const BPF_XOR = 0xa0;
/** Sign-extends when the offset field is 8, 16 or 32 (cpu v4). */
export const BPF_MOV = 0xb0;
export const BPF_ARSH = 0xc0;
export const BPF_END = 0xd0;

// BPF_END: to little endian or to big endian.
export const BPF_TO_LE = 0x00;
export const BPF_TO_BE = 0x08;

// Jumps.
export const BPF_JA = 0x00;
export const BPF_JEQ = 0x10;
export const BPF_JGT = 0x20;
export const BPF_JGE = 0x30;
export const BPF_JSET = 0x40;
export const BPF_JNE = 0x50;
export const BPF_JSGT = 0x60;
export const BPF_JSGE = 0x70;
export const BPF_CALL = 0x80;
export const BPF_EXIT = 0x90;
export const BPF_JLT = 0xa0;
export const BPF_JLE = 0xb0;
export const BPF_JSLT = 0xc0;
export const BPF_JSLE = 0xd0;

// Atomic operations, in the immediate; without BPF_FETCH the operation is the code of the arithmetic.
export const BPF_FETCH = 0x01;
export const BPF_XCHG = 0xe0 | BPF_FETCH;
export const BPF_CMPXCHG = 0xf0 | BPF_FETCH;

// Meaning of src in a 16-byte load (BPF_LD | BPF_DW | BPF_IMM).
export const BPF_PSEUDO_MAP_FD = 1;
export const BPF_PSEUDO_MAP_VALUE = 2;
export const BPF_PSEUDO_FUNC = 4;
/** Meaning of src in a call. */
export const BPF_PSEUDO_CALL = 1;
/** A call of a function of the kernel; imm is its BTF id. */
export const BPF_PSEUDO_KFUNC_CALL = 2;

/** The frame pointer, read-only. */
export const frameRegister = 10;
/** MAX_BPF_STACK, include/linux/filter.h. */
export const maxStack = 512;

/** The 16-byte load of a 64-bit immediate. */
export const loadImm64 = BPF_LD | BPF_DW | BPF_IMM;
