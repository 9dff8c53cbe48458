/** What was added to hosts: `hosts.json` in the state directory. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod/mini'
import { hostNames, isSameAddition, type RecordedAddition } from '../domain/hosts.ts'
import type { AdditionRecord } from '../ports/hosts.ts'
import { readDocument, writeDocument } from './private-file.ts'

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
  const hint =
    'it says what setup has added to Claude Code, Codex and others; move it away to go on without'
  return readDocument(file, json => schema.parse(json).additions, hint) ?? []
}

function write(file: string, additions: readonly RecordedAddition[]): void {
  if (additions.length === 0) rmSync(file, { force: true })
  else writeDocument(file, { version: 1, additions })
}
