/**
 * The raw output of an attempt: what its agent has printed, byte for byte (`stdout` and `stderr` of
 * the run directory). It is written by the agent alone, and once that has ended by nobody.
 */
import type { RawState } from '../domain/raw-output.ts'

export interface RawOutput {
  look(runDirectory: string): RawState
  /**
   * Of an attempt that has ended. Each file is compressed beside itself, synced, read back and
   * compared before the plain one goes. Gives how many bytes of the disk are free by that.
   */
  compress(runDirectory: string): Promise<number>
  /** Of an attempt that has ended. That it was dropped is written down first. Gives bytes, as above. */
  drop(runDirectory: string): Promise<number>
  /** The agent's stdout from an offset on, in whichever form it lies there; nothing where it was dropped. */
  read(runDirectory: string, from: number): AsyncIterable<Uint8Array>
}
