/** What /proc/PID/stat says of a process; the words behind its name in parentheses, which may have anything in it. */
export interface ProcStat {
  /** `R` running, `S` sleeping, `T` stopped, `Z` ended and not yet waited for ... */
  readonly state: string;
  /** Process id of the parent; 0 of the first process. */
  readonly parent: number;
}

/** Reads the text of /proc/PID/stat (proc_pid_stat(5)); undefined if it is none, e.g. of a process that is gone. */
export function parseProcStat(text: string): ProcStat | undefined {
  const found = /^ (\S) (\d{1,10}) /.exec(text.slice(text.lastIndexOf(")") + 1));
  return found === null ? undefined : { state: found[1] ?? "", parent: Number(found[2]) };
}
