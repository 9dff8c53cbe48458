/** What a command is: data for the help and the reference, and a function. */
import { AppError } from '../../domain/errors.ts'
import type { SurfaceContext } from '../context.ts'
import type { Output } from './output.ts'

/** One flag. `value`: what stands for its value in the help; without it the flag is a switch. */
export interface Flag {
  readonly about: string
  readonly value?: string
  /** The values that it may have, where they are few; shells complete them. */
  readonly choices?: readonly string[]
  readonly short?: string
  /** It may be given several times. */
  readonly repeats?: true
}

export type Flags = Readonly<Record<string, Flag>>

/** Values of flags: a string for one with a value, a list if it repeats, true for a switch; absent if not given. */
export type FlagValues<F extends Flags> = {
  readonly [Name in keyof F]?: F[Name] extends { repeats: true }
    ? readonly string[]
    : F[Name] extends { value: string }
      ? string
      : true
}

/**
 * The parts of the help: what people do, look at, take home, and keep in order. What only programs
 * call stands in the reference.
 */
export type CommandGroup = 'Do' | 'Look' | 'Take' | 'Keep house' | 'For programs'

export interface Command<F extends Flags = Flags> {
  readonly name: string
  readonly aliases?: readonly string[]
  readonly group: CommandGroup
  readonly summary: string
  /** What follows the name, as the help shows it. */
  readonly usage: string
  readonly flags: F
  readonly examples: readonly string[]
  /** What stands after `--` is passed apart; for all others it is words like those before it. */
  readonly takesVerbatim?: true
  /** It reads its flags itself, `--help` too: all that follows its name are words. */
  readonly readsFlags?: true
  run(input: CommandInput<F>, context: CommandContext): Promise<number>
}

export interface CommandInput<F extends Flags = Flags> {
  readonly flags: FlagValues<F>
  readonly words: readonly string[]
  /** For a command that takes it: what stood after `--`; undefined without one. */
  readonly verbatim: readonly string[] | undefined
}

export interface CommandContext extends SurfaceContext {
  readonly output: Output
  /** Made when it is asked for: most commands read nothing. */
  readonly stdin: NodeJS.ReadStream
  readonly version: string
  /**
   * Aborted when the user interrupts; the reason is the signal's number. Asking for it takes the
   * signals over: a command that does must end by itself when it is aborted.
   */
  readonly interrupted: AbortSignal
}

/** Keeps the type of the flags, so that `run` knows which there are. */
export function defineCommand<const F extends Flags>(command: Command<F>): Command<F> {
  return command
}

/** The one flag that every command takes. */
export const jsonFlag = { json: { about: 'print JSON' } } as const

/** The single word that a command takes. Refuses any other number with its usage. */
export function requireWord(words: readonly string[], what: string, usage: string): string {
  const [word] = words
  if (word === undefined || words.length > 1) {
    const problem = word === undefined ? `${what} is missing` : `only one ${what} is taken`
    throw new AppError('bad_usage', problem, { hint: `usage: holdfast ${usage}` })
  }
  return word
}

/** The word that a command may be given. Refuses any more with its usage. */
export function optionalWord(words: readonly string[], usage: string): string | undefined {
  refuseWords(words.slice(1), usage)
  return words[0]
}

export function refuseWords(words: readonly string[], usage: string): void {
  if (words.length > 0) {
    throw new AppError('bad_usage', `unexpected "${words[0]}"`, {
      hint: `usage: holdfast ${usage}`,
    })
  }
}
