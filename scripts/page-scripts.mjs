// The scripts that pages carry: src/page/ bundled for browsers, as the text of a module that src/output/ embeds them from.
import { build } from "esbuild";
import { root } from "./compile-tests.mjs";

/** Name of the constant, file in src/page/. */
const scripts = { flameFileScript: "flame-file.ts", reportScript: "report.ts" };

export const pageScriptsFile = "src/output/generated/page-scripts.ts";

export async function pageScripts() {
  let module = "// Written by `npm run gen` from src/page; change it there.\n";
  for (const [name, file] of Object.entries(scripts)) {
    const { outputFiles } = await build({
      absWorkingDir: root,
      entryPoints: [`src/page/${file}`],
      bundle: true,
      write: false,
      platform: "browser",
      format: "iife",
      target: "es2022",
      minify: true,
      charset: "ascii",
      legalComments: "none",
      logLevel: "warning",
    });
    const { text } = outputFiles[0];
    // It stands in a <script> of HTML, or of XML in CDATA, as it is.
    const end = /<\/script|<!--|\]\]>/i.exec(text);
    if (end !== null) throw new Error(`src/page/${file} has ${end[0]} in it, which would end the script in a page`);
    module += `\n/** src/page/${file} */\nexport const ${name} = ${JSON.stringify(text)};\n`;
  }
  return module;
}
