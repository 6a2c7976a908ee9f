// Numbers of DWARF 5 (dwarfstd.org), chapter 7.5 and 7.8; GNU extensions from include/dwarf2.def of GCC.

export const DW_TAG = {
  arrayType: 0x01,
  classType: 0x02,
  enumerationType: 0x04,
  formalParameter: 0x05,
  importedDeclaration: 0x08,
  member: 0x0d,
  pointerType: 0x0f,
  referenceType: 0x10,
  structureType: 0x13,
  typedef: 0x16,
  unionType: 0x17,
  unspecifiedParameters: 0x18,
  inheritance: 0x1c,
  ptrToMemberType: 0x1f,
  subrangeType: 0x21,
  baseType: 0x24,
  constType: 0x26,
  enumerator: 0x28,
  subprogram: 0x2e,
  variantPart: 0x33,
  volatileType: 0x35,
  restrictType: 0x37,
  namespace: 0x39,
  unspecifiedType: 0x3b,
  rvalueReferenceType: 0x42,
  atomicType: 0x47,
  immutableType: 0x4b,
} as const;

export const DW_AT = {
  sibling: 0x01,
  name: 0x03,
  byteSize: 0x0b,
  bitOffset: 0x0c,
  bitSize: 0x0d,
  stmtList: 0x10,
  lowPc: 0x11,
  highPc: 0x12,
  language: 0x13,
  compDir: 0x1b,
  constValue: 0x1c,
  upperBound: 0x2f,
  abstractOrigin: 0x31,
  artificial: 0x34,
  callingConvention: 0x36,
  count: 0x37,
  dataMemberLocation: 0x38,
  declaration: 0x3c,
  encoding: 0x3e,
  external: 0x3f,
  specification: 0x47,
  type: 0x49,
  dataBitOffset: 0x6b,
  linkageName: 0x6e,
  strOffsetsBase: 0x72,
  addrBase: 0x73,
  dwoName: 0x76,
  signature: 0x69,
  alignment: 0x88,
  defaulted: 0x8b,
  mipsLinkageName: 0x2007,
  gnuDwoName: 0x2130,
  gnuDwoId: 0x2131,
  gnuAddrBase: 0x2133,
} as const;

export const DW_ATE = {
  address: 0x01,
  boolean: 0x02,
  complexFloat: 0x03,
  float: 0x04,
  signed: 0x05,
  signedChar: 0x06,
  unsigned: 0x07,
  unsignedChar: 0x08,
  imaginaryFloat: 0x09,
  utf: 0x10,
} as const;

export const DW_LANG = { go: 0x16, rust: 0x1c } as const;

/** Of a structure or class: it does not travel in registers (C++ with a destructor of its own). */
export const DW_CC_passByReference = 0x04;
/** Of a function: it does not keep to the ABI. */
export const DW_CC_nocall = 0x03;
