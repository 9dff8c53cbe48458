/**
 * What a Codex session has used so far, from its own record: `codex exec --json` says it at the end
 * of a turn alone. Seen with 0.169.0.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import * as z from 'zod/mini'
import type { SessionId } from '../../domain/ids.ts'
import type { Usage } from '../../domain/outcome.ts'
import { findRecord } from '../codex-sessions.ts'
import { parseJson } from '../loose.ts'
import { convertUsage } from './items.ts'
import { wireUsage } from './wire.ts'

/** A count follows every answer of the model; between two lie at most a few long outputs. */
const TAIL_BYTES = 1024 * 1024

const tokenCount = z.looseObject({
  payload: z.looseObject({
    type: z.literal('token_count'),
    info: z.looseObject({ total_token_usage: wireUsage }),
  }),
})

/** Null: there is no record, or it does not say. */
export function readSessionUsage(session: SessionId, home: string): Usage | null {
  const file = findRecord(session, home)
  if (file === undefined) return null
  const lines = readEnd(file).split('\n')
  for (const line of lines.reverse()) {
    if (!line.includes('"token_count"')) continue
    const parsed = tokenCount.safeParse(parseJson(line))
    if (parsed.success) return convertUsage(parsed.data.payload.info.total_token_usage)
  }
  return null
}

function readEnd(path: string): string {
  const file = openSync(path, 'r')
  try {
    const { size } = fstatSync(file)
    const bytes = Buffer.alloc(Math.min(size, TAIL_BYTES))
    const length = readSync(file, bytes, 0, bytes.length, size - bytes.length)
    return bytes.toString('utf8', 0, length)
  } finally {
    closeSync(file)
  }
}
