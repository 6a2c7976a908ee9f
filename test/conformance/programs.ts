// The commands that cases find in PATH: the program under the name `bpftrace`, and what ends processes by name, kept to
// those that the case started, because other traces may run on the machine.
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const onlyOwnSessions = {
  pkill: `exec /usr/bin/pkill -s "$CONFORMANCE_SESSIONS" "$@"`,
  pidof: `own=
for pid in $(command -p pidof "$@"); do
  session=$(($(ps -o sess= -p "$pid")))
  case ",$CONFORMANCE_SESSIONS," in *",$session,"*) own="$own$pid " ;; esac
done
echo $own
test -n "$own"`,
} as const;

/** Fills `folder`; `command` is the program's file, or words of a shell command. Answers the path of `bpftrace` there. */
export function installPrograms(folder: string, command: { file: string } | { words: string }): string {
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(onlyOwnSessions)) writeScript(join(folder, name), text);
  const program = join(folder, "bpftrace");
  // Under a link's name the program calls itself so, and is found by it.
  if ("file" in command) symlinkSync(command.file, program);
  else writeScript(program, `exec ${command.words} "$@"`);
  return program;
}

function writeScript(path: string, text: string): void {
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
}
