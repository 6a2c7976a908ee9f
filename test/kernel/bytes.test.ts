// Text is bytes: what is no UTF-8 comes through as it is, from the command line, files and the kernel to output, files and commands.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { byteText, decodeBytes, encodeBytes, pathOf } from "../../src/base/byte-text.js";
import { shellParameters } from "../../src/trace/shell-words.js";
import { randomNumbers } from "../fixtures/fuzz.js";
import { compileC } from "../support/c-program.js";
import { program, sameEverywhere } from "../support/run.js";

const folder = mkdtempSync(join(tmpdir(), "beetrace-bytes-"));
after(() => rmSync(folder, { recursive: true }));
const skip = sameEverywhere;

interface Run {
  /** Text of which each byte is kept. */
  readonly out: string;
  readonly err: string;
  readonly status: number | null;
}

const plainVariables = (env: readonly string[]): Readonly<Record<string, string>> =>
  Object.fromEntries(env.map((entry) => entry.split(/=(.*)/s)).map(([name = "", value = ""]) => [name, value]));

/** Runs the program with words and variables of any bytes, which Node.js itself cannot hand on. */
function run(words: readonly string[], env: readonly string[] = [], cwd = folder): Run {
  const all = [cwd, process.execPath, program, ...words];
  const script = `${shellParameters(all, env)}cd "$1" && shift && exec "$@"`;
  const { stdout, stderr, status } = spawnSync("/bin/sh", ["-c", script, "sh", ...all], {
    env: { ...process.env, TZ: "UTC", ...plainVariables(env) },
    maxBuffer: 1 << 26,
    timeout: 60_000,
  });
  return { out: decodeBytes(stdout), err: decodeBytes(stderr), status };
}

/** Lines of a script that ends by itself; what is wrong with it is the answer otherwise. */
function said(words: readonly string[], env?: readonly string[], cwd?: string): readonly string[] {
  const { out, err, status } = run(["-q", ...words], env, cwd);
  return status === 0 ? out.trimEnd().split("\n") : [`status ${status}: ${err}`];
}

/** Writes a file whose name may have any bytes, and answers its path. */
function file(name: string, content: string): string {
  const path = `${folder}/${name}`;
  writeFileSync(pathOf(path), encodeBytes(content));
  return path;
}

const hasPrograms = (...names: readonly string[]): string | false =>
  names.find((name) => spawnSync(name, ["--version"]).status !== 0) ?? false;

test("scripts, words and variables have the bytes that they were given", { skip }, () => {
  const script =
    'begin { print("\udcff|\\xfe"); print((strlen("\udcff"), "\udcc3\\xa9" == "é")); print(str($1)); exit(); }';
  const expected = ["\udcff|\udcfe", "(1, true)", "é\udcff"];
  assert.deepEqual(said(["-e", script, "é\udcff"]), expected);
  assert.deepEqual(said([file("script\udcff.bt", script), "é\udcff"]), expected);
  const named = 'begin { print(getopt("name", "")); print(strlen(str($1 + 1))); exit(); }';
  assert.deepEqual(said(["-e", named, "a\udcff\udcfe", "--", "--name=\udcfd"]), ["\udcfd", "2"]);
  // What is said of the script shows it.
  assert.match(run(["-e", 'begin { print("\udcff" + 1); }']).err, /print\("\udcff" \+ 1\)/);
});

test("strings that are cut, and their trailer", { skip }, () => {
  const script = 'begin { @["a€"] = 1; print(str($1)); printf("%s\\xac\\n", str($1)); exit(); }';
  const environment = ["BPFTRACE_MAX_STRLEN=3", "BPFTRACE_STR_TRUNC_TRAILER=\udcff!"];
  assert.deepEqual(said(["-e", script, "a€b"], environment).slice(0, 2), ["a€b", "a€b\udcac"]);
  // Of a process's memory: a character is cut in its middle, and what follows is not taken for its rest.
  const command = "/bin/sh -c 'exec /bin/true a€b'";
  const cut =
    'tracepoint:syscalls:sys_enter_execve /comm == "sh"/ { $s = str(*(args.argv + 1)); @[$s] = 1; print($s); }';
  assert.deepEqual(said(["-c", command, "-e", cut], environment).slice(0, 1), ["a\udce2\udc82\udcff!"]);
});

test("what is cut is marked or told, in JSON, too", { skip }, () => {
  const long = "x".repeat(1500);
  const words = Array.from({ length: 18 }, (_, i) => `${i}`).join(" ");
  const join = 'tracepoint:syscalls:sys_enter_execve /comm == "beetrace"/ { join(args.argv); exit(); }';
  assert.deepEqual(said(["-c", `/bin/true ${words}`, "-e", join]), [
    `/bin/true ${words.split(" ").slice(0, 15).join(" ")} ..`,
  ]);
  const json = (script: string, ...more: readonly string[]): readonly string[] =>
    said(["-f", "json", "-e", script, ...more]);
  const [line = ""] = json(join, "-c", `/bin/true ${long} b`);
  assert.equal(JSON.parse(line).data, `/bin/true ${long.slice(0, 1023)}.. b`);
  file("long", "c".repeat(10241));
  file("short", "c".repeat(10240));
  const told = json(
    `begin { $a = str($1); $b = str_concat($a, $a); cat("long"); cat("short"); print(strlen($b)); exit(); }`,
    "y".repeat(700),
  );
  assert.deepEqual(told, [
    `{"type": "cat", "data": "${"c".repeat(10240)}"}`,
    '{"type": "warning", "msg": "cat(\\"long\\"): only the first 10240 bytes of it are shown, as many as max_cat_bytes says"}',
    `{"type": "cat", "data": "${"c".repeat(10240)}"}`,
    '{"type": "value", "data": 1023}',
    '{"type": "loss", "reason": "cut", "count": 1}',
  ]);
});

test("cat(), system() and -o act on the file of that name", { skip }, () => {
  for (const byte of ["\udcff", "\udcfe", "\ufffd"]) file(`cat${byte}`, `I am ${byte}\n`);
  const cat = `begin { cat("${folder}/cat\\xff"); cat("${folder}/%s", "cat\\xfe"); cat("cat\ufffd"); exit(); }`;
  assert.deepEqual(said(["-e", cat]), ["I am \udcff", "I am \udcfe", "I am \ufffd"]);
  const system =
    'begin { system("cat cat\\xff; echo \\"$X\\""); system("cat %s; printf é >made\\xfd", "cat\\xfe"); exit(); }';
  assert.deepEqual(said(["--unsafe", "-e", system], ["X=\udcfc"]), ["I am \udcff", "\udcfc", "", "I am \udcfe"]);
  assert.equal(readFileSync(pathOf(`${folder}/made\udcfd`), "utf8"), "é");
  run(["-q", "-o", "out\udcff", "-e", 'begin { printf("%c", 0xfe); exit(); }']);
  assert.equal(decodeBytes(readFileSync(pathOf(`${folder}/out\udcff`))).trimEnd(), "\udcfe");
});

test("a folder whose name is no UTF-8: scripts, imports and programs in it", { skip }, () => {
  const home = `${folder}/home\udcff`;
  mkdirSync(pathOf(home));
  chmodSync(pathOf(home), 0o755);
  file("home\udcff/lib\udcfe.bt", 'macro said() { "\\xfd" }');
  file("home\udcff/main.bt", 'import "lib\udcfe.bt";\nbegin { print(said()); exit(); }');
  file("home\udcff/run", "#!/bin/sh\nexit 0\n");
  chmodSync(pathOf(`${home}/run`), 0o755);
  assert.deepEqual(said(["main.bt"], [], home), ["\udcfd"]);
  const exec = "tracepoint:sched:sched_process_exec { print((comm, str(args.filename))); }";
  assert.deepEqual(said(["-c", "./run", "-e", exec], [], home).slice(0, 1), [`(run, ${home}/run)`]);
  assert.deepEqual(said(["-c", "run", "-e", exec], [`PATH=${home}:/usr/bin:/bin`]).slice(0, 1), [`(run, ${home}/run)`]);
});

test("-c runs the program of that name, with its words and variables", { skip }, () => {
  const path = file("prog\udcff", '#!/bin/sh\nprintf "%s|%s|%s\\n" "$0" "$1" "$X"\n');
  chmodSync(pathOf(path), 0o755);
  file("prog\udcfe", "");
  const script = "tracepoint:sched:sched_process_exec { @[comm, str(args.filename)] = 1; }";
  const found = said(["-c", `${path} 'é \udcfd'`, "-e", script], ["X=\udcfc"]);
  assert.deepEqual(
    found.filter((line) => line !== ""),
    [`${path}|é \udcfd|\udcfc`, `@[prog\udcff, ${path}]: 1`],
  );
  const only = said(["--comm", "prog\udcff", "-c", path, "-e", "tracepoint:sched:sched_process_exec { print(comm); }"]);
  assert.ok(only.includes("prog\udcff"), only.join("\n"));
  assert.match(run(["-c", "/no\udcffprogram", "-e", "begin { exit(); }"]).err, /cannot run '\/no\udcffprogram'/);
});

test("uprobes are set in the file of that name, and shown with it", {
  skip: skip || compileC("nested", join(folder, "traced"), "-O1", "-g"),
}, () => {
  const path = `${folder}/traced\udcff`;
  writeFileSync(pathOf(path), readFileSync(join(folder, "traced")), { mode: 0o755 });
  const list = said(["-l", `uprobe:${path}:main`]);
  assert.deepEqual(list, [`uprobe:${path}:main`]);
  const script = `uprobe:${path}:main { @[probe, strcontains(probe, "\\xff"), ustack(1)] = count(); exit(); }`;
  const found = said(["-c", path, "-e", script]).filter((line) => line !== "");
  assert.equal(
    found.find((line) => line.startsWith("@["))?.startsWith(`@[uprobe:${path}:main, true, `),
    true,
    found.join("\n"),
  );
  const folded = said([
    "-f",
    "folded",
    "-c",
    path,
    "-e",
    `uprobe:${path}:main { @[comm, ustack(1)] = count(); exit(); }`,
  ]);
  assert.match(folded.join("\n"), /traced\\xff;main 1$/m);
  const perf = said(["-c", path, "-e", `uprobe:${path}:main { print(ustack(perf, 1)); exit(); }`]);
  assert.ok(
    perf.some((line) => line.endsWith(`(${path})`)),
    perf.join("\n"),
  );
  const any = said(["-c", path, "-e", `uprobe:${folder}/trac*\udcff:ma?n { print(probe); exit(); }`]);
  assert.ok(any.includes(`uprobe:${path}:main`), any.join("\n"));
});

const keys = ["\udcff", "\udcfe", "\udce2\udc82", "€", "\ufffd", "\uefff", "a\\xff"];

test("JSON keeps different keys different, for each reader", { skip: skip || hasPrograms("python3", "jq") }, () => {
  const script = `begin { ${keys.map((key, i) => `@["${key.replace("\\", "\\\\")}"] = ${i};`).join(" ")} exit(); }`;
  const { out } = run(["-q", "-f", "json", "-e", script]);
  const json = encodeBytes(out);
  const text = json.toString("utf8");
  assert.ok(!text.includes("\ufffd\ufffd") && out.isWellFormed(), out);
  const python = `import json, sys
data = json.loads(sys.stdin.buffer.read())["data"]["@"]
bytes_of = lambda text: b"".join(bytes([ord(c) - 0xef00]) if "\\uef80" <= c <= "\\uefff" else c.encode() for c in text)
print("\\n".join(bytes_of(key).hex() + " " + str(value) for key, value in data.items()))`;
  const read = execFileSync("python3", ["-c", python], { input: json, encoding: "utf8" }).trim().split("\n");
  assert.deepEqual(read.sort(), keys.map((key, i) => `${encodeBytes(key).toString("hex")} ${i}`).sort());
  const jq = execFileSync("jq", ["-r", '.data["@"] | to_entries[] | .key'], { input: json, encoding: "utf8" });
  assert.equal(new Set(jq.trim().split("\n")).size, keys.length);
});

/** A byte as a script can write it: itself, or by an escape. */
function written(byte: number, random: (below: number) => number): string {
  const escaped = [`\\x${byte.toString(16).padStart(2, "0")}`, `\\${byte.toString(8).padStart(3, "0")}`];
  const plain = byte >= 0x80 || (byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c);
  return [...escaped, ...(plain ? [byteText(byte)] : escaped)][random(3)] ?? "";
}

test("random bytes: from a literal over the kernel to printf(), keys and comparisons, byte for byte", { skip }, () => {
  const random = randomNumbers(2026);
  const texts = Array.from({ length: 150 }, () =>
    Array.from({ length: 1 + random(12) }, () => (random(3) === 0 ? 1 + random(255) : 0x80 + random(128))),
  );
  texts.push([...encodeBytes("é€😀")], [0xe2, 0x82], [0xef, 0xbb, 0xbf, 0x41]);
  const lines = texts.map((bytes) => {
    const literal = bytes.map((byte) => written(byte, random)).join("");
    // Bytes of a script by themselves may be read as characters.
    return `$s = "${literal}"; @["${literal}"] = strlen($s); printf("<%s>%d,%d;", $s, strlen($s), $s == "${literal}");`;
  });
  const script = lines.map((line) => `begin { ${line} }`).join("\n");
  const { out, err } = run(["-q", file("random.bt", `${script}\nbegin { exit(); }`)]);
  const expected = texts.map((bytes) =>
    Buffer.concat([Buffer.from("<"), Buffer.from(bytes), Buffer.from(`>${bytes.length},1;`)]),
  );
  const [printed = ""] = [out.slice(0, decodeBytes(Buffer.concat(expected)).length)];
  assert.equal(encodeBytes(printed).toString("hex"), Buffer.concat(expected).toString("hex"), err);
  const rest = encodeBytes(out);
  for (const bytes of texts) {
    const entry = Buffer.concat([Buffer.from("@["), Buffer.from(bytes), Buffer.from(`]: ${bytes.length}\n`)]);
    assert.ok(rest.includes(entry), entry.toString("hex"));
  }
});
