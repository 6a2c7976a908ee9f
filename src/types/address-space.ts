import { type AddressSpace, type Member, pointer, type RecordType, type Type } from "./type.js";

/** The same type where all that it points at, however deep, is in another address space. */
export function inSpace(type: Type, space: AddressSpace): Type {
  switch (type.kind) {
    case "pointer":
      return pointer(inSpace(type.to, space), space);
    case "array":
      return { ...type, of: inSpace(type.of, space) };
    case "record":
      return recordInSpace(type, space);
    default:
      return type;
  }
}

/** Members are converted when they are asked for: structures point at each other in circles. */
function recordInSpace(record: RecordType, space: AddressSpace): RecordType {
  let members: readonly Member[] | undefined;
  return {
    ...record,
    members: () => {
      members ??= record.members().map((member) => ({
        ...member,
        get type() {
          return inSpace(member.type, space);
        },
      }));
      return members;
    },
  };
}
