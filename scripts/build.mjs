// Builds dist/: the program (beetrace.js starts program.cjs, with the code that V8 has made of it in program-*.cache) and the
// library (index.js), each in as few files as start-up is quick with.
import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { Script } from "node:vm";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const common = {
  absWorkingDir: root,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20.19",
  external: ["koffi"],
  legalComments: "none",
  minifySyntax: true,
  minifyWhitespace: true,
  logLevel: "warning",
  outdir: "dist",
};

rmSync(join(root, "dist"), { recursive: true, force: true });
await build({ ...common, entryPoints: { index: "src/index.ts" } });
await build({
  ...common,
  entryPoints: { beetrace: "src/cli/start.ts" },
  banner: { js: "#!/usr/bin/env node" },
});
// A function of what start.ts gives it, so that it can be compiled from what is kept of it.
await build({
  ...common,
  entryPoints: { program: "src/cli/main.ts" },
  format: "cjs",
  outExtension: { ".js": ".cjs" },
  define: { "import.meta.url": "moduleUrl" },
  banner: { js: "(function (require, moduleUrl) {" },
  footer: { js: "})" },
});
chmodSync(join(root, "dist/beetrace.js"), 0o755);
await keepCode(join(root, "dist/program.cjs"));

/**
 * Compiles all functions of the program and keeps what V8 has made of them. It is for this Node.js alone, which its name tells
 * (src/cli/kept-code.ts), and for V8's usual options: the one that has it compile all at once is taken back before.
 */
async function keepCode(filename) {
  // The program asks by the same function.
  const { outputFiles } = await build({ ...common, entryPoints: ["src/cli/kept-code.ts"], write: false });
  const { keptCodeName } = await import(`data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`);
  setFlagsFromString("--no-lazy");
  const script = new Script(readFileSync(filename, "latin1"), { filename });
  setFlagsFromString("--lazy");
  writeFileSync(join(dirname(filename), keptCodeName()), script.createCachedData());
}
