/** What was added to hosts: `hosts.json` in the state directory, written beside and renamed. */
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod/mini'
import { AppError, messageOf } from '../domain/errors.ts'
import { hostNames, isSameAddition, type RecordedAddition } from '../domain/hosts.ts'

const FILE = 'hosts.json'

const schema = z.object({
  version: z.literal(1),
  additions: z.array(
    z.object({
      host: z.enum(hostNames),
      configuration: z.nullable(z.string()),
      addition: z.discriminatedUnion('kind', [
        z.object({ kind: z.literal('marketplace'), name: z.string(), source: z.string() }),
        z.object({ kind: z.literal('plugin'), id: z.string() }),
        z.object({ kind: z.literal('turned_off'), id: z.string() }),
        z.object({ kind: z.literal('skill'), directory: z.string() }),
      ]),
      digests: z.array(z.string()),
      made: z.array(z.string()),
    }),
  ),
})

/** Its writers hold the lock `hosts`. */
export interface AdditionRecord {
  list(): readonly RecordedAddition[]
  /** In the place of an older one of the same thing, if there is one. */
  put(addition: RecordedAddition): void
  drop(addition: RecordedAddition): void
}

/** `home` is the state directory, absolute. */
export function makeAdditionRecord(home: string): AdditionRecord {
  const file = join(home, FILE)
  const without = (one: RecordedAddition) => read(file).filter(other => !isSameAddition(one, other))
  return {
    list: () => read(file),
    put(addition) {
      write(file, [...without(addition), addition])
    },
    drop(addition) {
      write(file, without(addition))
    },
  }
}

function read(file: string): readonly RecordedAddition[] {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw unreadable(file, cause)
  }
  try {
    return schema.parse(JSON.parse(text)).additions
  } catch (cause) {
    throw unreadable(file, cause)
  }
}

function unreadable(file: string, cause: unknown): AppError {
  return new AppError('store_unreadable', `${file} cannot be read: ${messageOf(cause)}`, {
    hint: 'it says what setup has added to Claude Code, Codex and others; move it away to go on without',
    cause,
  })
}

function write(file: string, additions: readonly RecordedAddition[]): void {
  if (additions.length === 0) {
    rmSync(file, { force: true })
    return
  }
  const beside = `${file}.new`
  const descriptor = openSync(beside, 'w', 0o600)
  try {
    writeSync(descriptor, `${JSON.stringify({ version: 1, additions }, undefined, 2)}\n`)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
  renameSync(beside, file)
}
