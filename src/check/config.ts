import type { Diagnostics } from "../base/diagnostics.js";
import { nearest } from "../base/nearest.js";
import {
  type Config,
  type ConfigName,
  configKeys,
  configNameOf,
  defaultConfig,
  isConfigName,
} from "../language/config.js";
import type { AstProgram } from "../syntax/ast.js";

/** Defaults, then the script's `config` block, then what was set outside (`settings`, by config name). */
export function readConfig(
  program: AstProgram,
  settings: Readonly<Record<string, string>>,
  diags: Diagnostics,
): Config {
  const values: Record<string, unknown> = { ...defaultConfig };
  for (const { key, keySpan, value, valueSpan } of program.config) {
    const name = configNameOf(key);
    if (!isConfigName(name)) {
      const near = nearest(name, Object.keys(configKeys));
      const place = { ...keySpan, end: valueSpan.end };
      diags.error("unknown-setting", place, `${key}: not a known configuration option`, {
        hint: near === undefined ? "docs/language.md lists them" : `did you mean '${near}'?`,
      });
      continue;
    }
    const parsed = configKeys[name].parse(value);
    if ("problem" in parsed)
      diags.error("bad-setting", valueSpan, `Invalid value for ${name}. Found: ${value}. ${parsed.problem}`);
    else values[name] = parsed.value;
  }
  for (const [name, value] of Object.entries(settings)) {
    if (!isConfigName(name)) continue;
    const parsed = configKeys[name satisfies ConfigName].parse(value);
    if ("problem" in parsed)
      diags.error(
        "bad-setting",
        undefined,
        `Invalid value for BPFTRACE_${name.toUpperCase()}. Found: ${value}. ${parsed.problem}`,
      );
    else values[name] = parsed.value;
  }
  return values as Config;
}
