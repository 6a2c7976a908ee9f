/** What the clocks of a zone show at a moment. */
export interface LocalTime {
  /** Seconds east of UTC. */
  readonly offset: number;
  /** `CET`, `+03`. */
  readonly name: string;
  /** Leap seconds that the count of seconds has in it, in zones of the folder `right` only. */
  readonly leapSeconds?: number;
  /** The moment is inserted second number 1, 2 ...: 23:59:60. */
  readonly inserted?: number;
}

export interface TimeZone {
  /** By seconds since 1970. */
  at(seconds: number): LocalTime;
}

const greenwich: LocalTime = { offset: 0, name: "UTC" };

export const utc: TimeZone = { at: () => greenwich };
