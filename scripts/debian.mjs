// What the tests need from Debian: packages on this machine, and kernel packages of other releases.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Something that this machine does not give; stages that need it are skipped with this reason. */
export class Unavailable extends Error {}

/** What stands before a command that needs root: nothing, sudo, or `undefined` if there is no way. */
export function rootPrefix() {
  if (process.getuid() === 0) return [];
  return spawnSync("sudo", ["-n", "true"], { stdio: "ignore" }).status === 0 ? ["sudo", "-n"] : undefined;
}

/** Runs a command without input and answers its output; Unavailable with the last line of its errors otherwise. */
export function output(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
    let text = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (piece) => {
      text += piece;
    });
    child.stderr.setEncoding("utf8").on("data", (piece) => {
      errors += piece;
    });
    child.on("error", (cause) => reject(new Unavailable(`${command}: ${cause.message}`)));
    child.on("close", (status) => {
      if (status === 0) resolve(text);
      else {
        // apt's first error is the cause, the others follow from it.
        const lines = errors.trim().split("\n");
        const why = lines.find((line) => line.startsWith("E: ")) || lines.pop() || `status ${status}`;
        reject(new Unavailable(`${command} ${args.find((arg) => /^[a-z]/.test(arg)) ?? ""}: ${why}`));
      }
    });
  });
}

const installed = (name) => {
  const run = spawnSync("dpkg-query", ["-W", "-f", "$" + "{db:Status-Status}", name], { encoding: "utf8" });
  return run.stdout?.trim() === "installed";
};

/**
 * Installs the missing ones of these packages; answers which are still missing and why. `apt-get update` runs only if
 * something is missing.
 */
export async function installPackages(names, say) {
  const missing = names.filter((name) => !installed(name));
  if (missing.length === 0) return { missing, reason: undefined };
  if (!existsSync("/usr/bin/apt-get")) return { missing, reason: "this is not Debian: there is no apt-get" };
  const prefix = rootPrefix();
  if (prefix === undefined) return { missing, reason: "installing packages needs root or sudo" };
  say(`installing ${missing.join(" ")}`);
  const [command, ...args] = [...prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"];
  try {
    await output(command, [...args, "update"]);
    await output(command, [...args, "install", "-y", "--no-install-recommends", ...missing]);
    return { missing: [], reason: undefined };
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    return { missing: names.filter((name) => !installed(name)), reason: error.message };
  }
}

/** Debian's archive and its security archive, as this machine's apt knows them: no address stands in this project. */
async function archives() {
  // The names are apt-get's own, see apt-get(8), "indextargets". Who made an archive stands in lists that
  // `apt-get update` gets; without them the name of the release must do, and Debian's key proves the rest.
  const fields = ["REPO_URI", "RELEASE", "COMPONENT", "ORIGIN"].map((name) => `$(${name})`).join("|");
  const list = async (...options) => {
    const text = await output("apt-get", ["indextargets", ...options, "--format", fields, "Created-By: Packages"]);
    return text.split("\n").map((line) => {
      const [address, suite = "", component, origin] = line.split("|");
      return { address, suite, component, origin };
    });
  };
  let rows = (await list()).filter(({ origin }) => origin === "Debian");
  if (rows.length === 0) rows = (await list("--no-release-info")).filter(({ component }) => component === "main");
  const main = rows.find(({ suite }) => /^[a-z]+$/.test(suite));
  if (main === undefined) throw new Unavailable("apt's sources have no Debian archive");
  return { main, security: rows.find(({ suite }) => /^[a-z]+-security$/.test(suite)) };
}

const debianKey = "/usr/share/keyrings/debian-archive-keyring.gpg";

/**
 * apt with lists of its own for one Debian release, in `folder`; nothing of this machine's apt changes. `architecture`:
 * Debian's name of the machine, if it is not this one; then nothing counts as installed.
 */
export class ReleaseArchive {
  constructor(folder, architecture) {
    this.folder = folder;
    this.status = architecture === undefined ? "/var/lib/dpkg/status" : join(folder, "status");
    this.options = [
      ...["Dir::State", "Dir::Cache"].flatMap((name) => ["-o", `${name}=${join(folder, name.slice(5).toLowerCase())}`]),
      ...["-o", `Dir::State::status=${this.status}`, "-o", `Dir::Etc::sourcelist=${join(folder, "sources.list")}`],
      ...(architecture === undefined
        ? []
        : ["-o", `APT::Architecture=${architecture}`, "-o", `APT::Architectures=${architecture}`]),
      ...["-o", `Dir::Etc::sourceparts=${join(folder, "parts")}`, "-o", "Dir::Etc::preferencesparts=/dev/null"],
      // The folder may be one that apt's own user cannot write.
      ...["-o", "APT::Sandbox::User=root", "-o", "Acquire::Languages=none", "-o", "Acquire::Retries=3"],
      // Otherwise apt-get update succeeds without a network.
      ...["-o", "APT::Update::Error-Mode=any"],
    ];
  }

  /** Gets the lists of `release`, e.g. `trixie`, and of its security updates. */
  async update(release) {
    const { main, security } = await archives();
    for (const name of ["state/lists/partial", "cache/archives/partial", "parts"]) {
      mkdirSync(join(this.folder, name), { recursive: true });
    }
    if (!existsSync(this.status)) writeFileSync(this.status, "");
    const key = existsSync(debianKey) ? `[signed-by=${debianKey}] ` : "";
    const line = ({ address }, suite) => `deb ${key}${address} ${suite} main\n`;
    const updates = security === undefined || release === "sid" ? "" : line(security, `${release}-security`);
    writeFileSync(join(this.folder, "sources.list"), line(main, release) + updates);
    await output("apt-get", [...this.options, "-qq", "update"]);
  }

  /** The packages that a package depends on, itself not included. */
  async dependencies(name) {
    const text = await output("apt-cache", [...this.options, "depends", "--important", name]);
    return [...text.matchAll(/^[ |]*(?:Pre)?Depends: (\S+)$/gm)].map((match) => match[1]);
  }

  async version(name) {
    const text = await output("apt-cache", [...this.options, "policy", name]);
    const version = /^ *Candidate: (\d\S*)$/m.exec(text)?.[1];
    if (version === undefined) throw new Unavailable(`Debian has no package ${name}`);
    return version;
  }

  /** Downloads and unpacks a package into a folder. */
  async unpack(name, folder) {
    const cache = join(this.folder, "cache");
    const [file] = (await output("apt-get", [...this.options, "--print-uris", "-qq", "download", name]))
      .split(" ")
      .slice(1);
    await output("apt-get", [...this.options, "-qq", "download", name], { cwd: cache });
    await output("dpkg-deb", ["-x", join(cache, file), folder]);
  }

  /** Downloads and unpacks packages and all that they depend on into a folder. Their scripts do not run. */
  async unpackWithDependencies(names, folder) {
    await output("apt-get", [...this.options, "-qq", "-y", "--no-install-recommends", "-d", "install", ...names]);
    const archives = join(this.folder, "cache/archives");
    const files = readdirSync(archives).filter((file) => file.endsWith(".deb"));
    for (const file of files) await output("dpkg-deb", ["-x", join(archives, file), folder]);
  }
}
