import { readText } from "../sys/byte-files.js";

/** Users of /etc/passwd (passwd(5)), in its order; none if it cannot be read. */
export function readPasswd(): readonly { readonly name: string; readonly uid: string }[] {
  let text = "";
  try {
    text = readText("/etc/passwd");
  } catch {
    // Without the file, numbers are all there is.
  }
  return text.split("\n").flatMap((line) => {
    const [name, , uid] = line.split(":");
    return name === undefined || uid === undefined ? [] : [{ name, uid }];
  });
}
