export interface TracepointFormat {
  readonly id: number;
}
