import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzz } from "../../test/fixtures/fuzz.js";
import { demangleRust } from "./rust-demangle.js";

// Symbols that rustc 1.95 made of a program of ours; c++filt 2.40 prints the same, hashes and types of constants aside.
const v0: readonly (readonly [string, string])[] = [
  ["_RNvCs6xxl1lAjzDf_1a5boxed", "a::boxed"],
  [
    "_RNvMCs6xxl1lAjzDf_1aINtB2_u9Gre_6ka8iINtNtCslNYArtu3iFV_5alloc3vec3VechEE4zeigB2_",
    "<a::Größe<alloc::vec::Vec<u8>>>::zeig",
  ],
  [
    "_RINvCs6xxl1lAjzDf_1a3genINtNtNtCslNYArtu3iFV_5alloc3vec9into_iter8IntoIterThReEEEB2_",
    "a::gen::<alloc::vec::into_iter::IntoIter<(u8, &str)>>",
  ],
  [
    "_RINvNtCsgEmfK2I1SDS_4core3ptr13drop_in_placeINtNtCslNYArtu3iFV_5alloc5boxed3BoxDINtNtNtB4_3ops8function6FnOnceuEp6OutputuNtNtB4_6marker4SendEL_EECs6xxl1lAjzDf_1a.llvm.15270624179494504716",
    "core::ptr::drop_in_place::<alloc::boxed::Box<dyn core::ops::function::FnOnce<(), Output = ()> + core::marker::Send>>",
  ],
  [
    "_RNSNvYNCINvNtCsjrHSEGnQ3l9_3std2rt10lang_startuE0INtNtNtCsgEmfK2I1SDS_4core3ops8function6FnOnceuE9call_once6vtableCs6xxl1lAjzDf_1a",
    "<std::rt::lang_start<()>::{closure#0} as core::ops::function::FnOnce<()>>::call_once::{shim:vtable#0}",
  ],
  [
    "_RINvNtCsgEmfK2I1SDS_4core6escape14escape_unicodeKja_ECsgY6Mt91CT9J_14rustc_demangle",
    "core::escape::escape_unicode::<10>",
  ],
  ["_RNvNtNtCsjrHSEGnQ3l9_3std6thread11main_thread4MAIN.0", "std::thread::main_thread::MAIN"],
];

// Written by hand after the grammar.
const byHand: readonly (readonly [string, string])[] = [
  ["_RINvC1a1fKb1_Kcdf_Kan3_E", "a::f::<true, 'ß', -3>"],
  ["_RINvC1a1fFG_RL0_hEuE", "a::f::<for<'a> fn(&'a u8)>"],
  ["_RINvC1a1fFUKCPhOaEbE", 'a::f::<unsafe extern "C" fn(*const u8, *mut i8) -> bool>'],
  ["_RINvC1a1fAhj3_SdTiETEE", "a::f::<[u8; 3], [f64], (isize,), ()>"],
];

for (const [symbol, name] of [...v0, ...byHand]) test(symbol, () => assert.equal(demangleRust(symbol), name));

test("the older form: a path and a hash", () => {
  for (const [symbol, name] of [
    ["_ZN1a22Gr$uf6$$udf$e$LT$T$GT$4zeig17h1a9926f70a488ff7E", "a::Größe<T>::zeig"],
    [
      "_ZN9hashbrown3raw21RawTable$LT$T$C$A$GT$14reserve_rehash17h2481a2ffd221d94aE.llvm.17556143454695106420",
      "hashbrown::raw::RawTable<T,A>::reserve_rehash",
    ],
    [
      "_ZN52_$LT$$u5b$f64$u3b$$u20$N$u5d$$u20$as$u20$a..Form$GT$10fl$ue4$che17h9716a9573fc855ccE",
      "<[f64; N] as a::Form>::fläche",
    ],
    // C++, or nothing.
    ["_ZN3foo3barEv", undefined],
    ["_ZN3foo17h0123456789abcdefEv", undefined],
    ["_ZN3foo17h0000000000000000E", undefined],
    ["_ZN17h0123456789abcdefE", undefined],
    ["_ZN9foo17h0123456789abcdefE", undefined],
    ["main", undefined],
  ] as const)
    assert.equal(demangleRust(symbol), name, symbol);
});

test("references back that would go on for ever, or make a name of megabytes", () => {
  assert.equal(demangleRust("_RB_"), undefined);
  assert.equal(demangleRust("_RNvB_1a"), undefined);
  assert.equal(demangleRust(`_RINvC1a1f${"TB8_B8_B8_B8_E".repeat(40)}E`), undefined);
  let types = "";
  for (let i = 0; i < 40; i++) types += `T${"B8_".repeat(30)}E`;
  demangleRust(`_RINvC1a1f${types}E`);
  assert.equal(demangleRust(`_RINvC1a1f${"R".repeat(100_000)}eE`), undefined);
});

test("damaged symbols give a name or nothing", () => {
  for (const [symbol] of v0) {
    fuzz(new TextEncoder().encode(symbol), 2000, (bytes) => {
      demangleRust(bytes.toString("latin1"));
    });
  }
});
