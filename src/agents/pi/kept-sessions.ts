/**
 * What Pi keeps of its sessions: a file of each, below the name of its directory or, where the user
 * wants it so, all in one place; its first line says which directory that is (0.73.1). Nothing says
 * whether a process has one open.
 */
import { join } from 'node:path'
import * as z from 'zod/mini'
import { asSessionId } from '../../domain/ids.ts'
import type { Environment, KeptSessions } from '../../ports/agent.ts'
import { newestFirst } from '../files-by-age.ts'
import { readFirstLine } from '../first-line.ts'
import { namesIn } from '../names-in.ts'
import { sessionsOf } from './configuration.ts'

const header = z.looseObject({ type: z.literal('session'), id: z.string(), cwd: z.string() })

export const piKeptSessions: KeptSessions = {
  find(session, environment) {
    const file = filesOf(environment).find(path => path.endsWith(`_${session}.jsonl`))
    if (file === undefined) return undefined
    return { session, directory: readHeader(file)?.cwd ?? null, openIn: 'unknown' }
  },
  newestIn(directory, since, environment) {
    for (const file of newestFirst(filesOf(environment), since)) {
      const found = readHeader(file)
      if (found?.cwd === directory) return asSessionId(found.id)
    }
    return undefined
  },
}

const readHeader = (file: string) => header.safeParse(readFirstLine(file)).data

function filesOf(environment: Environment): readonly string[] {
  const top = sessionsOf(environment)
  return namesIn(top)
    .flatMap(name =>
      isRecord(name) ? [name] : namesIn(join(top, name)).map(one => join(name, one)),
    )
    .filter(isRecord)
    .map(name => join(top, name))
}

const isRecord = (name: string) => name.endsWith('.jsonl')
