/** What a frame of a stack is: a part of the map's key, a function by where its code comes from, or an address without a name. */
export const frameKinds = ["label", "user", "kernel", "jit", "inlined", "unknown"] as const;

export type FrameKind = (typeof frameKinds)[number];
