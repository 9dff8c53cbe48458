/**
 * What starts the worker when the machine does, so that tasks go on before anybody gives a command:
 * one boot entry per state directory. Without one, the next command starts the worker.
 */

/** In the order in which they are looked for. */
export const bootMethods = ['systemd', 'launchd', 'cron'] as const
export type BootMethod = (typeof bootMethods)[number]

export interface BootEntry {
  readonly method: BootMethod
  /** Its file; of cron, `crontab`. */
  readonly where: string
  /** Why it would start nothing, or not as it should; null: it is as it would be written now. */
  readonly problem: string | null
}

export interface BootText {
  readonly where: string
  readonly text: string
}

export interface Boot {
  /** What this machine offers. Refuses with `refused_in_state` where it offers nothing. */
  chooseMethod(): BootMethod
  /** What `install` would write. Refuses what that method cannot say. */
  describe(method: BootMethod): BootText
  /** The entries for this state directory; those of others are none of them. */
  find(): Promise<readonly BootEntry[]>
  /**
   * Writes the entry, takes away that of any other method, and touches nothing else. What remains
   * for the user to do is returned, in words.
   */
  install(method: BootMethod): Promise<readonly string[]>
  /** Takes every entry away; where each was. */
  remove(): Promise<readonly string[]>
}
