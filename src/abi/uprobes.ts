/**
 * Calls of a task that may wait for their uretprobes; those nested deeper return unseen (prepare_uretprobe(),
 * kernel/events/uprobes.c; include/linux/uprobes.h; v4.3 to v6.18).
 */
export const MAX_URETPROBE_DEPTH = 64;
