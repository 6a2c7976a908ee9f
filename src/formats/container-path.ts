/**
 * The control group of a container, if `path` (of a line in /proc/PID/cgroup) lies in it, by an id, its first digits, or
 * a name. Engines name the group after the id, alone or as a unit of systemd: `/docker/ID`, `docker-ID.scope`,
 * `libpod-ID.scope`, `cri-containerd-ID.scope`, `crio-ID.scope`, `/kubepods/.../ID`, `/k8s.io/ID`, `lxc.payload.NAME`,
 * `nspawn` and machines `machine-NAME.scope`. Their monitors (`libpod-conmon-ID.scope`) are no containers.
 */
export function containerPath(path: string, id: string): string | undefined {
  const parts = path.split("/");
  for (const [i, part] of parts.entries()) if (isContainer(part, id)) return parts.slice(0, i + 1).join("/");
  return undefined;
}

const monitor = /(?:^|-)conmon-/;

function isContainer(part: string, id: string): boolean {
  if (part === "" || id === "" || monitor.test(part)) return false;
  const stem = part.replace(/\.(?:scope|service)$/, "");
  const hex = /(?:^|[-:])([0-9a-f]{32,64})$/.exec(stem)?.[1];
  if (hex !== undefined) return hex.startsWith(id);
  return stem === id || stem === `lxc.payload.${id}` || stem === `machine-${id}`;
}
