import assert from "node:assert/strict";
import { test } from "node:test";
import { randomNumbers } from "../../test/fixtures/fuzz.js";
import { demangle } from "./itanium-demangle.js";

// The right-hand sides are what `c++filt -i` of binutils 2.40 says, unless a comment says otherwise.
const cases: readonly (readonly [string, string])[] = [
  ["_Z3foov", "foo()"],
  ["_Z3fooiPKcz", "foo(int, char const*, ...)"],
  ["_ZN3foo3barEv", "foo::bar()"],
  ["_ZNK3foo3barEv", "foo::bar() const"],
  ["_ZN3fooC2Ev", "foo::foo()"],
  ["_ZN3fooD0Ev", "foo::~foo()"],
  ["_ZN12_GLOBAL__N_13runEv", "(anonymous namespace)::run()"],
  ["_ZN3fooL3barE", "foo::bar"],
  ["_Z1fPFivE", "f(int (*)())"],
  ["_Z1fRA5_i", "f(int (&) [5])"],
  ["_Z1fM1AKFviE", "f(void (A::*)(int) const)"],
  ["_Z1fM1Ai", "f(int A::*)"],
  ["_Z1fIiEvT_", "void f<int>(int)"],
  ["_Z1fIJicEEvDpT_", "void f<int, char>(int, char)"],
  ["_Z1fIJicEEvDpOT_", "void f<int, char>(int&&, char&&)"],
  ["_Z1fIRiEvOT_", "void f<int&>(int&)"],
  ["_Z1fILi5EEvv", "void f<5>()"],
  ["_Z1fILb1EEvv", "void f<true>()"],
  ["_Z1fILj5EEvv", "void f<5u>()"],
  ["_Z1fILin3EEvv", "void f<-3>()"],
  ["_ZSt4sortv", "std::sort()"],
  ["_ZNSt6vectorIiSaIiEE9push_backERKi", "std::vector<int, std::allocator<int> >::push_back(int const&)"],
  [
    "_ZNKSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE4sizeEv",
    "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >::size() const",
  ],
  ["_ZNSsC1Ev", "std::basic_string<char, std::char_traits<char>, std::allocator<char> >::basic_string()"],
  ["_Z1fRKSs", "f(std::string const&)"],
  ["_ZN1AaSERKS_", "A::operator=(A const&)"],
  ["_ZN1AcviEv", "A::operator int()"],
  ["_ZlsRSoi", "operator<<(std::ostream&, int)"],
  ["_Zli3_kmy", 'operator"" _km(unsigned long long)'],
  ["_ZTV3foo", "vtable for foo"],
  ["_ZTI3foo", "typeinfo for foo"],
  ["_ZThn16_N3foo3barEv", "non-virtual thunk to foo::bar()"],
  ["_ZGVZ3foovE1x", "guard variable for foo()::x"],
  ["_ZZ3foovE1x_0", "foo()::x"],
  ["_ZZ3foovENKUlvE_clEv", "foo()::{lambda()#1}::operator()() const"],
  ["_ZZ3foovENKUliE0_clEi", "foo()::{lambda(int)#2}::operator()(int) const"],
  ["_Z3foov.isra.0", "foo() [clone .isra.0]"],
  ["_Z3foov.part.1.cold", "foo() [clone .part.1] [clone .cold]"],
  [
    "_ZNSt8ios_base7failureB5cxx11C2EPKcRKSt10error_code",
    "std::ios_base::failure[abi:cxx11]::failure(char const*, std::error_code const&)",
  ],
  [
    "_ZStlsISt11char_traitsIcEERSt13basic_ostreamIcT_ES5_c",
    "std::basic_ostream<char, std::char_traits<char> >& std::operator<< <std::char_traits<char> >(std::basic_ostream<char, std::char_traits<char> >&, char)",
  ],
  [
    "_ZN4node12_GLOBAL__N_16Parser5ProxyIMS1_FivEXadL_ZNS1_7on_bodyEvEEE3RawEv",
    "node::(anonymous namespace)::Parser::Proxy<int (node::(anonymous namespace)::Parser::*)(), &node::(anonymous namespace)::Parser::on_body>::Raw()",
  ],
  // The address of a function as argument: all of it, but for members and functions of a namespace that are no templates.
  ["_Z1fIXadL_Z1gvEEEvv", "void f<&(g())>()"],
  ["_Z1fIXadL_ZN1n1gEvEEEvv", "void f<&n::g>()"],
  ["_Z1fIXadL_ZNK1A1gEvEEEvv", "void f<&(A::g() const)>()"],
  ["_Z1fIXadL_ZN1n1gIiEEiT_EEEvv", "void f<&(int n::g<int>(int))>()"],
  ["_Z1fIL_Z1gvEEvv", "void f<g()>()"],
  ["_Z1fIXadL_Z1xEEEvv", "void f<&x>()"],
  // A substitution for a template parameter means that of the template that it is used in.
  [
    "_ZN1n6medianIPNS_3ArrINS_4NodeEEEZNS_7prepareIS2_EEvNS1_IT_EENS1_IPS6_EEEUlRKS3_E_EEvS6_S6_T0_",
    "void n::median<n::Arr<n::Node>*, n::prepare<n::Node>(n::Arr<n::Node>, n::Arr<n::Node*>)::{lambda(n::Arr<n::Node> const&)#1}>(n::Arr<n::Node>*, n::Arr<n::Node>*, n::prepare<n::Node>(n::Arr<n::Node>, n::Arr<n::Node*>)::{lambda(n::Arr<n::Node> const&)#1})",
  ],
  ["_Z1fDn", "f(decltype(nullptr))"],
  ["_Z1fDi", "f(char32_t)"],
  ["_Z1fU8__vectorf", "f(float __vector)"],
  ["_Z1fIiEDTplfp_fp_ET_", "decltype ({parm#1}+{parm#1}) f<int>(int)"],
];

test("names", () => {
  for (const [mangled, wanted] of cases) assert.equal(demangle(mangled), wanted, mangled);
});

test("what is no mangled name", () => {
  for (const name of ["", "_Z", "main", "_ZN", "_ZNE", "_Z9foo", "_Z3foov3", "_ZS_v", "_Z1fT_", "_R3foo"]) {
    assert.equal(demangle(name), undefined, name);
  }
});

test("broken names end, with a text or without", () => {
  const random = randomNumbers(7);
  const letters = "NSTIJEDpKRPOFvicXLZUlt0123456789_.aBC";
  for (let round = 0; round < 20000; round++) {
    const [seed] = cases[random(cases.length)]!;
    const chars = [...seed];
    for (let i = random(4); i >= 0; i--) {
      const at = 2 + random(chars.length - 2);
      if (random(3) === 0) chars.splice(at, 1);
      else chars.splice(at, random(2), letters[random(letters.length)]!);
    }
    demangle(chars.join(""));
  }
});

test("deep and doubling names end", () => {
  assert.equal(demangle(`_Z1f${"P".repeat(100_000)}i`), undefined);
  let doubling = "_Z1f";
  for (let i = 0; i < 40; i++) doubling += `St4pairI${i === 0 ? "ii" : "S_S_"}E`;
  demangle(doubling);
  demangle(`_Z1f${"F".repeat(5000)}`);
});
