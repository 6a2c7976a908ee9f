/** Exit statuses of scripts/vm.mjs beside those of the command. */
export const statuses = {
  /** EX_UNAVAILABLE of sysexits.h: this machine cannot run the virtual machine. */
  unavailable: 69,
  timeOver: 124,
  noAnswer: 125,
};
