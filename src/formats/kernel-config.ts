/** Settings of a kernel's .config (`CONFIG_X=y`): y, m, a number or text; those that are not set are left out. */
export function parseKernelConfig(text: string): ReadonlyMap<string, string> {
  const settings = new Map<string, string>();
  for (const [, name = "", value = ""] of text.matchAll(/^(CONFIG_\w+)=(.*)$/gm)) {
    settings.set(name, value.replace(/^"(.*)"$/, "$1"));
  }
  return settings;
}
