/**
 * Timing on machines that are shared and noisy: what is measured and what it is compared with take
 * turns (A B A B …), each round gives one ratio, and the median of the ratios counts.
 */
import { spawnSync } from 'node:child_process'
import { setImmediate } from 'node:timers/promises'

export interface Spread {
  readonly min: number
  readonly median: number
  readonly max: number
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  const [min, max] = [sorted[0], sorted.at(-1)]
  const low = sorted[Math.floor((sorted.length - 1) / 2)]
  const high = sorted[Math.floor(sorted.length / 2)]
  if (min === undefined || max === undefined || low === undefined || high === undefined) {
    throw new Error('no values were measured')
  }
  return { min, median: (low + high) / 2, max }
}

/** A program as it is started, without a shell. */
export interface Program {
  readonly argv: readonly [string, ...string[]]
  readonly directory: string
  readonly environment: Readonly<Record<string, string>>
}

/** A status of 100,000 untracked files says some megabytes. */
const MOST_SAID = 64_000_000

/** Milliseconds from the start of a program to its end. Throws unless it exits with 0. */
export function timeProgram(program: Program): number {
  return runProgram(program).took
}

/** As `timeProgram`; also what it said on stdout. Blocks, so that nothing of ours runs beside it. */
export function runProgram({ argv, directory, environment }: Program): {
  readonly took: number
  readonly stdout: string
} {
  const [file, ...args] = argv
  const start = performance.now()
  const { status, signal, error, stdout, stderr } = spawnSync(file, args, {
    cwd: directory,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    maxBuffer: MOST_SAID,
  })
  const took = performance.now() - start
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`${argv.join(' ')}: exit ${status ?? signal}: ${stderr.trim()}`)
  return { took, stdout }
}

export interface Rounds {
  readonly count: number
  /** Rounds before those that count: caches are filled, files read. */
  readonly warmUp: number
  readonly signal: AbortSignal
}

/** Measures every side once in each round, always in the same order. */
export async function interleave<Side extends string>(
  sides: Readonly<Record<Side, () => number | Promise<number>>>,
  { count, warmUp, signal }: Rounds,
): Promise<readonly Readonly<Record<Side, number>>[]> {
  const rounds: Record<Side, number>[] = []
  for (let round = -warmUp; round < count; round++) {
    const measured = {} as Record<Side, number>
    for (const side of Object.keys(sides) as Side[]) {
      // A signal that came while a program was waited for is heard here.
      await setImmediate()
      signal.throwIfAborted()
      measured[side] = await sides[side]()
    }
    if (round >= 0) rounds.push(measured)
  }
  return rounds
}
