import assert from "node:assert/strict";
import { test } from "node:test";
import { containerPath } from "./container-path.js";

const id = "4f1c0a9be3d27f5588a1c6d0e9b7432211f00ddbaadcafe0123456789abcdef0";

test("what engines call a container's control group", () => {
  const paths: Readonly<Record<string, string>> = {
    [`/docker/${id}`]: `/docker/${id}`,
    [`/system.slice/docker-${id}.scope`]: `/system.slice/docker-${id}.scope`,
    [`/system.slice/docker-${id}.scope/init`]: `/system.slice/docker-${id}.scope`,
    [`/machine.slice/libpod-${id}.scope/container`]: `/machine.slice/libpod-${id}.scope`,
    [`/kubepods/burstable/pod12/${id}`]: `/kubepods/burstable/pod12/${id}`,
    [`/kubepods.slice/kubepods-pod1.slice/cri-containerd-${id}.scope`]: `/kubepods.slice/kubepods-pod1.slice/cri-containerd-${id}.scope`,
    [`/kubepods.slice/crio-${id}`]: `/kubepods.slice/crio-${id}`,
    [`/system.slice:docker:${id}`]: `/system.slice:docker:${id}`,
  };
  for (const [path, group] of Object.entries(paths)) {
    assert.equal(containerPath(path, id.slice(0, 12)), group, path);
    assert.equal(containerPath(path, id), group, path);
    assert.equal(containerPath(path, id.slice(1)), undefined, path);
  }
});

test("names, where an engine has names only", () => {
  assert.equal(containerPath("/k8s.io/web", "web"), "/k8s.io/web");
  assert.equal(containerPath("/lxc.payload.web/init", "web"), "/lxc.payload.web");
  assert.equal(containerPath("/machine.slice/machine-web.scope/payload", "web"), "/machine.slice/machine-web.scope");
  assert.equal(containerPath("/system.slice/web2.service", "web"), undefined);
});

test("a monitor is no container, and an empty id is none", () => {
  assert.equal(containerPath(`/machine.slice/libpod-conmon-${id}.scope`, id), undefined);
  assert.equal(containerPath(`/docker/${id}`, ""), undefined);
  assert.equal(containerPath("/", "a"), undefined);
});
