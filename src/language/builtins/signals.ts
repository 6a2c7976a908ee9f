/** Signals of Linux on x86-64 and arm64 from 1 on, as SIGNAME (signal(7)) and as strsignal(3) of glibc calls them. */
const signals: readonly (readonly [name: string, text: string])[] = [
  ["HUP", "Hangup"],
  ["INT", "Interrupt"],
  ["QUIT", "Quit"],
  ["ILL", "Illegal instruction"],
  ["TRAP", "Trace/breakpoint trap"],
  ["ABRT", "Aborted"],
  ["BUS", "Bus error"],
  ["FPE", "Floating point exception"],
  ["KILL", "Killed"],
  ["USR1", "User defined signal 1"],
  ["SEGV", "Segmentation fault"],
  ["USR2", "User defined signal 2"],
  ["PIPE", "Broken pipe"],
  ["ALRM", "Alarm clock"],
  ["TERM", "Terminated"],
  ["STKFLT", "Stack fault"],
  ["CHLD", "Child exited"],
  ["CONT", "Continued"],
  ["STOP", "Stopped (signal)"],
  ["TSTP", "Stopped"],
  ["TTIN", "Stopped (tty input)"],
  ["TTOU", "Stopped (tty output)"],
  ["URG", "Urgent I/O condition"],
  ["XCPU", "CPU time limit exceeded"],
  ["XFSZ", "File size limit exceeded"],
  ["VTALRM", "Virtual timer expired"],
  ["PROF", "Profiling timer expired"],
  ["WINCH", "Window changed"],
  ["IO", "I/O possible"],
  ["PWR", "Power failure"],
  ["SYS", "Bad system call"],
];

/** First signal that programs may use as they like, behind two that glibc keeps for itself (signal(7)). */
const firstRealTime = 34;
export const lastSignal = 64;

/** Number of a signal by its name, with or without SIG. */
export function signalNumber(name: string): number | undefined {
  const short = name.replace(/^SIG/, "");
  const aliases: Readonly<Record<string, string>> = { IOT: "ABRT", CLD: "CHLD", POLL: "IO" };
  const index = signals.findIndex(([known]) => known === (aliases[short] ?? short));
  return index < 0 ? undefined : index + 1;
}

export function signalText(n: number): string | undefined {
  if (n < 0 || n > lastSignal) return undefined;
  const known = n === 0 ? undefined : signals[n - 1];
  if (known !== undefined) return known[1];
  return n < firstRealTime ? `Unknown signal ${n}` : `Real-time signal ${n - firstRealTime}`;
}
