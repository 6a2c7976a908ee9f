import strftime from "strftime";

/**
 * A moment as strftime(3) writes it, in local time. `microseconds` are those within its second: `%f`, bpftrace's own
 * extension, prints them with six digits.
 */
export function formatTime(format: string, milliseconds: number, microseconds: number): string {
  const withMicroseconds = format.replace(/%%|%f/g, (piece) =>
    piece === "%f" ? String(microseconds).padStart(6, "0") : piece,
  );
  return strftime(withMicroseconds, new Date(milliseconds));
}
