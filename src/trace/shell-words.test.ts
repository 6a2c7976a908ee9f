import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { byteText } from "../base/byte-text.js";
import { shellCommand, shellParameters } from "./shell-words.js";

const shells = ["/bin/sh", "/bin/bash"].filter((shell) => existsSync(shell));
/** All bytes that a word can have. */
const bytes = Array.from({ length: 255 }, (_, i) => i + 1);
const allBytes = bytes.map(byteText).join("");

test("a shell gets words of any bytes", () => {
  for (const shell of shells) {
    const script = `${shellParameters([allBytes, "\udcff\n\n", ""], [])}printf '%s|' "$#" "$@"`;
    const said = execFileSync(shell, ["-c", script]);
    assert.deepEqual(
      said,
      Buffer.concat([Buffer.from("3|"), Buffer.from(bytes), Buffer.from("|\xff\n\n||", "latin1")]),
    );
    assert.equal(execFileSync(shell, ["-c", `${shellParameters(["a"], [])}echo $#`]).toString(), "0\n");
  }
});

test("a command of any bytes, and the variables that it is to find", () => {
  for (const shell of shells) {
    const command = "printf '%s,' '\udcff é' $? \"$X\"; exit 3";
    const text = `(${shellCommand(command, ["X=\udcfe\n", "Y=plain", "not a name=\udcff"])}); echo $?`;
    assert.deepEqual(execFileSync(shell, ["-c", text]), Buffer.from("\xff \xc3\xa9,0,\xfe\n,3\n", "latin1"));
    assert.equal(shellCommand("echo é", ["Y=plain"]), "echo é");
  }
});
