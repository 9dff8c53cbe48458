/**
 * A command that looks at a task's work once its agent has proven that it is done (`--verify`). What it
 * comes to is evidence, kept with the task. Pure.
 */
import type { Fence } from './ids.ts'
import type { Failure, Result } from './outcome.ts'
import { shellLine } from './shell-word.ts'

/** What a task asks for. */
export interface Verify {
  /** Without a shell; the program is found on the task's PATH. */
  readonly argv: readonly string[]
  /** How long one run of it may take, in milliseconds. */
  readonly limitMs: number
  /** Its repository names it (`holdfast.json`); absent: whoever asked did. */
  readonly named?: {
    /** Of all that is trusted. */
    readonly digest: string
    /** It runs only if the user trusted it when the task was handed in. */
    readonly trusted: boolean
  }
}

export function isToRun(verify: Verify | null): verify is Verify {
  return verify !== null && verify.named?.trusted !== false
}

/** As long as a set-up: a large project is built and tested from nothing. */
export const VERIFY_LIMIT_MS = 30 * 60_000

/** Of what it prints, the end is kept: it says what failed. */
export const VERIFY_TAIL_BYTES = 8_192

/** Killed from outside, it says nothing: it is run again, so often at most. */
export const MOST_VERIFY_RUNS = 3

/** What the newest run of it came to. */
export type Verification = {
  /** Of the attempt whose work it looked at. */
  readonly fence: Fence
  /** How many attempts before this one it has found wanting. */
  readonly failedBefore: number
  /**
   * That work, as it was collected before the command began: what is there since may be the command's.
   * Absent: a version before this one began it.
   */
  readonly result?: Result | undefined
} & (
  | {
      readonly state: 'running'
      /** How long the attempt had been at work when it began: its own time counts from there. */
      readonly fromMs: number
    }
  | { readonly state: 'passed'; readonly endedAt: number; readonly output: string }
  | {
      /** `unknown`: it could not be run, or nobody knows how it ended. */
      readonly state: 'failed' | 'unknown'
      readonly endedAt: number
      /** In words: `exit code 1`. */
      readonly how: string
      readonly output: string
    }
)

export type Judged = Extract<Verification, { readonly endedAt: number }>

/**
 * Whether its agent is to be told, and has one more turn: once in a task, and only where it goes on
 * with what it knows.
 */
export function mayMend(
  judged: Judged,
  continues: 'session' | 'rerun' | 'no',
): judged is Extract<Judged, { readonly how: string }> {
  return judged.state === 'failed' && judged.failedBefore === 0 && continues === 'session'
}

/** Of an attempt that is looked at now. */
export function countFailedBefore(before: Verification | null, fence: Fence): number {
  if (before === null) return 0
  const isFurther = before.fence !== fence && before.state === 'failed'
  return before.failedBefore + (isFurther ? 1 : 0)
}

export const describeVerify = ({ argv }: Verify) => shellLine(argv)

/** So much of the output goes into a message; the rest is in the evidence. */
const LINES_KEPT = 3

/** For the log, in a line. */
export function describeJudged(verify: Verify, judged: Judged): string {
  const words = describeVerify(verify)
  return judged.state === 'passed' ? `verified: ${words}` : `not verified: ${words}: ${judged.how}`
}

export function verifyFailure(verify: Verify, judged: Judged, log: string): Failure {
  const lines = judged.output.trimEnd().split('\n').slice(-LINES_KEPT).join(' · ')
  const how = judged.state === 'passed' ? '' : ` (${judged.how})`
  const came = judged.state === 'failed' ? 'failed' : 'could not tell whether it is right'
  return {
    code: 'verify_failed',
    message: `the agent was done, but ${describeVerify(verify)} ${came}${how}: ${lines || 'it printed nothing'}`,
    hint: `all of its output: ${log}; holdfast resume goes on with the agent's session`,
  }
}

/**
 * What the agent is told when it failed, for its one more turn. The output is quoted, and said to be
 * what it is: nobody's instruction.
 */
export function askToMend(
  verify: Verify,
  { how, output }: Extract<Judged, { how: string }>,
): string {
  const words = output.trimEnd()
  const said = words === '' ? 'It printed nothing.' : `The end of what it printed:\n\n${words}`
  return `Your work was verified with this command, and it failed (${how}):

    ${describeVerify(verify)}

${said}

Find out why, and mend your work so that the command succeeds; do not change what it checks to make it pass. It is run once more when you are done.`
}
