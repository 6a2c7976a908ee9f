declare module "strftime" {
  /** Formats as strftime(3) does, in local time and the C locale's language. */
  export default function strftime(format: string, date?: Date): string;
}
