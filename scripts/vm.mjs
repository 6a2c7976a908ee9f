// Runs a command as root under another kernel, on this machine's files (what it writes does not last):
//   npm run vm -- [--kernel 6.1|6.12|newest|arm64|everything|FILE] [--memory MB] [--cpus N] [--seconds N] [--bare] -- COMMAND...
// Its output and its exit status come back; 124 means that the time was over, 125 that the
// guest gave no answer, 69 that this machine cannot run it.
// arm64 is Debian's 6.12 for that processor, with a root of its packages and this checkout in its place.
// --bare leaves tracefs, debugfs and bpf unmounted; --log prints what the kernel said.
import { parseArgs } from "node:util";
import { installPackages, Unavailable } from "./debian.mjs";
import { findKernel, machineOf } from "./kernels.mjs";
import { packagesFor, runInVm } from "./virtual-machine.mjs";
import { statuses } from "./vm-status.mjs";

// Not what slowness alone brings: soft lockups and RCU stalls.
const complaint = /\b(WARNING: CPU|WARNING: .* at |BUG: (?!soft lockup)|Oops|general protection fault|Kernel panic)/;

const say = (text) => process.stderr.write(`vm: ${text}\n`);
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    kernel: { type: "string", default: "6.12" },
    memory: { type: "string", default: "2048" },
    cpus: { type: "string", default: "2" },
    seconds: { type: "string", default: "300" },
    bare: { type: "boolean", default: false },
    log: { type: "boolean", default: false },
  },
});
if (positionals.length === 0) {
  say("no command; usage: npm run vm -- [--kernel NAME] -- COMMAND [ARGUMENT...]");
  process.exit(64);
}
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => process.exit(130));
try {
  const { missing, reason } = await installPackages(packagesFor(machineOf(values.kernel)), say);
  if (missing.length > 0) throw new Unavailable(`without ${missing.join(" ")}: ${reason}`);
  const kernel = await findKernel(values.kernel, { say });
  const run = await runInVm(kernel, positionals, {
    memory: Number(values.memory),
    cpus: Number(values.cpus),
    seconds: Number(values.seconds),
    bare: values.bare,
  });
  if (values.log) process.stderr.write(run.log);
  for (const line of run.log.split("\n")) if (complaint.test(line)) say(`the kernel said: ${line}`);
  if (run.timedOut) say(`no answer within ${values.seconds} s`);
  else if (run.status === undefined) say(`the guest ended without a status; its last words:\n${lastLines(run.log)}`);
  process.exitCode = run.timedOut ? statuses.timeOver : (run.status ?? statuses.noAnswer);
} catch (error) {
  if (!(error instanceof Unavailable)) throw error;
  say(error.message);
  process.exitCode = statuses.unavailable;
}

function lastLines(text) {
  return text.trimEnd().split("\n").slice(-20).join("\n");
}
