import type { Source } from "../base/span.js";

/**
 * What a compiler for Linux on this machine defines before the first line, as far as headers ask for it: `gcc -dM -E -`
 * of gcc 12 on Debian. Attributes and builtins that headers ask about have no bearing on layout.
 */
export function predefinedMacros(arch: "x86_64" | "arm64", kernel: boolean, btf: boolean): Source {
  const machine =
    arch === "x86_64"
      ? ["__x86_64__ 1", "__x86_64 1", "__amd64__ 1", "__amd64 1", "__SSE2__ 1"]
      : ["__aarch64__ 1", "__AARCH64EL__ 1", "__ARM_64BIT_STATE 1", "__CHAR_UNSIGNED__ 1"];
  const lines = [
    ...machine,
    "__STDC__ 1",
    "__STDC_VERSION__ 201710L",
    "__STDC_HOSTED__ 1",
    "__GNUC__ 12",
    "__GNUC_MINOR__ 2",
    "__GNUC_PATCHLEVEL__ 0",
    "__linux__ 1",
    "__linux 1",
    "__gnu_linux__ 1",
    "__unix__ 1",
    "__unix 1",
    "__ELF__ 1",
    "__LP64__ 1",
    "_LP64 1",
    "__OPTIMIZE__ 1",
    "__CHAR_BIT__ 8",
    "__SCHAR_MAX__ 127",
    "__SHRT_MAX__ 32767",
    "__INT_MAX__ 2147483647",
    "__LONG_MAX__ 9223372036854775807L",
    "__LONG_LONG_MAX__ 9223372036854775807LL",
    "__INTMAX_MAX__ 9223372036854775807L",
    "__SIZE_MAX__ 18446744073709551615UL",
    "__SIZEOF_SHORT__ 2",
    "__SIZEOF_INT__ 4",
    "__SIZEOF_LONG__ 8",
    "__SIZEOF_LONG_LONG__ 8",
    "__SIZEOF_POINTER__ 8",
    "__SIZEOF_SIZE_T__ 8",
    "__SIZEOF_WCHAR_T__ 4",
    "__SIZEOF_INT128__ 16",
    "__SIZE_TYPE__ unsigned long",
    "__PTRDIFF_TYPE__ long",
    "__WCHAR_TYPE__ int",
    "__WINT_TYPE__ unsigned int",
    "__INTMAX_TYPE__ long",
    "__UINTMAX_TYPE__ unsigned long",
    "__INTPTR_TYPE__ long",
    "__UINTPTR_TYPE__ unsigned long",
    "__INT8_TYPE__ signed char",
    "__INT16_TYPE__ short",
    "__INT32_TYPE__ int",
    "__INT64_TYPE__ long",
    "__UINT8_TYPE__ unsigned char",
    "__UINT16_TYPE__ unsigned short",
    "__UINT32_TYPE__ unsigned int",
    "__UINT64_TYPE__ unsigned long",
    "__ORDER_LITTLE_ENDIAN__ 1234",
    "__ORDER_BIG_ENDIAN__ 4321",
    "__ORDER_PDP_ENDIAN__ 3412",
    "__BYTE_ORDER__ 1234",
    "__USER_LABEL_PREFIX__",
    "__REGISTER_PREFIX__",
    '__VERSION__ "12.2.0"',
    ...[
      "attribute",
      "builtin",
      "feature",
      "extension",
      "cpp_attribute",
      "c_attribute",
      "declspec_attribute",
      "warning",
    ].map((what) => `__has_${what}(x) 0`),
    ...(kernel ? ["__KERNEL__ 1", "__BPF_TRACING__ 1", 'KBUILD_MODNAME "beetrace"'] : []),
    ...(btf ? ["BPFTRACE_HAVE_BTF 1"] : []),
  ];
  // The kernel's Makefile includes it in front of every file (scripts/Makefile.lib, Linux 6.12).
  const config = kernel ? "#include <linux/kconfig.h>\n" : "";
  return { name: "<predefined>", text: `${lines.map((line) => `#define ${line}\n`).join("")}${config}` };
}
