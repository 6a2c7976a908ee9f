/** Which tasks a script's probes are limited to, beside what the script itself says; all that is given must hold. */
export interface TaskFilter {
  /** Threads of this process, as the tracer's pid namespace numbers it. */
  readonly process?: number | undefined;
  /** Processes of the map `systemMaps.tree`, which programs of ours keep up to date as they fork. */
  readonly tree?: boolean | undefined;
  /** How many control groups the map `systemMaps.cgroups` holds: tasks in one of them, or below it. */
  readonly cgroups?: number | undefined;
  /** User ids in the initial user namespace. */
  readonly users?: readonly number[] | undefined;
  /** Names of threads. */
  readonly names?: readonly string[] | undefined;
}

/** Whether anything is asked for that only the programs themselves can look at: all but a process's id. */
export const looksAtTasks = ({ tree, cgroups, users, names }: TaskFilter): boolean =>
  tree === true || (cgroups ?? 0) > 0 || users !== undefined || names !== undefined;
