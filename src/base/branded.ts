declare const brand: unique symbol;

/** A value that only its own constructor makes, so that two kinds of number cannot be mixed up. */
export type Branded<Base, Name extends string> = Base & { readonly [brand]: Name };

/** The id of a type in a BTF blob; 0 is void. */
export type BtfId = Branded<number, "BtfId">;
export const btfId = (id: number): BtfId => id as BtfId;

/** An address in kernel space. */
export type KernelAddr = Branded<bigint, "KernelAddr">;
export const kernelAddr = (addr: bigint): KernelAddr => addr as KernelAddr;

/** An address in the space of some process. */
export type UserAddr = Branded<bigint, "UserAddr">;
export const userAddr = (addr: bigint): UserAddr => addr as UserAddr;
