/** Reads a command's words and flags. */
import { typeFlag } from 'type-flag'
import { AppError } from '../../domain/errors.ts'
import type { Command, CommandInput, Flags, FlagValues } from './command.ts'
import { findMeant } from './find-meant.ts'

/** Refuses unknown flags, and flags without the value that they need. */
export function parseInput(command: Command, argv: readonly string[]): CommandInput {
  const dashes = argv.indexOf('--')
  const before = dashes < 0 ? argv : argv.slice(0, dashes)
  const after = dashes < 0 ? undefined : argv.slice(dashes + 1)
  const parsed = typeFlag(
    schemaOf(command.flags),
    joinNegative(before, command.flags).flatMap(word => splitShort(word, command.flags)),
  )

  const [unknown] = Object.keys(parsed.unknownFlags)
  if (unknown !== undefined) {
    const flag = unknown.length === 1 ? `-${unknown}` : `--${unknown}`
    const meant = findMeant(flag, [...Object.keys(command.flags), 'help'].map(longFlag))
    const all = `holdfast ${command.name} --help; text that begins with a dash goes after --`
    throw new AppError('bad_usage', `${command.name} has no flag ${flag}`, {
      hint: meant === undefined ? all : `did you mean: ${meant}? ${all}`,
    })
  }
  const values: Record<string, string | true | readonly string[]> = {}
  for (const [name, given] of Object.entries(parsed.flags)) {
    if (given === undefined || given === false) continue
    if (Array.isArray(given) && given.length === 0) continue
    if (given === '' || (Array.isArray(given) && given.includes(''))) {
      throw new AppError('bad_usage', `--${dashed(name)} needs a value`, {
        hint: `holdfast ${command.name} --help`,
      })
    }
    values[name] = given as string | true | readonly string[]
  }
  return {
    flags: values as FlagValues<Flags>,
    words: command.takesVerbatim ? [...parsed._] : [...parsed._, ...(after ?? [])],
    verbatim: command.takesVerbatim ? after : undefined,
  }
}

/** `--priority -5` as `--priority=-5`: the parser would take `-5` for a flag. */
function joinNegative(words: readonly string[], flags: Flags): string[] {
  const takesValue = (word: string | undefined) =>
    Object.entries(flags).some(([name, { value }]) => value && word === `--${dashed(name)}`)
  const joined: string[] = []
  for (const word of words) {
    const before = joined.at(-1)
    if (/^-\d+$/.test(word) && takesValue(before)) joined[joined.length - 1] = `${before}=${word}`
    else joined.push(word)
  }
  return joined
}

/** `-n5` as `-n 5`, which the parser understands. Of a number only: `-model` is a mistake. */
function splitShort(word: string, flags: Flags): string[] {
  const [, letter, number] = /^-([a-z])(\d+)$/i.exec(word) ?? []
  const isKnown = Object.values(flags).some(({ short, value }) => value && short === letter)
  return letter && number && isKnown ? [`-${letter}`, number] : [word]
}

function schemaOf(flags: Flags) {
  type Type = typeof String | typeof Boolean | [typeof String]
  const schema: Record<string, { type: Type; alias?: string }> = {}
  for (const [name, { value, short, repeats }] of Object.entries(flags)) {
    const type = repeats === true ? ([String] as [typeof String]) : String
    schema[name] = {
      type: value === undefined ? Boolean : type,
      ...(short === undefined ? {} : { alias: short }),
    }
  }
  return schema
}

const longFlag = (name: string) => `--${dashed(name)}`

/** `promptFile` as it is typed: `prompt-file`. */
export function dashed(name: string): string {
  return name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
}

/** `90`, `90s`, `15m`, `2h` or `1d`, in milliseconds. */
export function parseDuration(text: string, flag: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text)
  const unit = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match?.[2] ?? 's']
  if (match === null || unit === undefined) {
    throw new AppError('bad_usage', `--${flag} ${text} is no duration`, {
      hint: 'for example 90s, 15m, 2h or 1d',
    })
  }
  return Number(match[1]) * unit
}

/** `5GB`, `500MB`, `2TB`, or bytes; in powers of a thousand. */
export function parseSize(text: string, flag: string): number {
  const match = /^(\d+(?:\.\d+)?)(kB|MB|GB|TB|B)?$/i.exec(text)
  const unit = { b: 1, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12 }[match?.[2]?.toLowerCase() ?? 'b']
  if (match === null || unit === undefined) {
    throw new AppError('bad_usage', `--${flag} ${text} is no size`, {
      hint: 'for example 500MB or 5GB',
    })
  }
  return Math.round(Number(match[1]) * unit)
}

/** The value of `--timeout`, in milliseconds. */
export function parseTimeout(text: string): number {
  const ms = parseDuration(text, 'timeout')
  if (ms > 0) return ms
  throw new AppError('bad_usage', '--timeout 0 would end it before it begins')
}

export function parseCount(text: string, flag: string): number {
  if (!/^\d{1,9}$/.test(text)) {
    throw new AppError('bad_usage', `--${flag} ${text} is no whole number`)
  }
  return Number(text)
}

export function parseChoice<T extends string>(
  text: string,
  flag: string,
  choices: readonly T[],
): T {
  const found = choices.find(choice => choice === text)
  if (found === undefined) {
    throw new AppError('bad_usage', `--${flag} ${text} is none of ${choices.join(', ')}`)
  }
  return found
}
