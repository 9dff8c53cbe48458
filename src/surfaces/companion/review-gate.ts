/**
 * Whether a session may stop only after a review. The plugin's own Stop hook decides by its state
 * file, so that is where it is set: the rest of that file is left as it is.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import * as z from 'zod/mini'
import { Refusal } from './subcommand.ts'

type Variables = Readonly<Record<string, string | undefined>>

const stateFile = z.looseObject({
  version: z.optional(z.number()),
  config: z.optional(z.looseObject({ stopReviewGate: z.optional(z.boolean()) })),
  jobs: z.optional(z.array(z.unknown())),
})

export function isGateEnabled(workspaceRoot: string, environment: Variables): boolean {
  return readState(pathOf(workspaceRoot, environment))?.config?.stopReviewGate === true
}

export function setGate(workspaceRoot: string, enabled: boolean, environment: Variables): void {
  const path = pathOf(workspaceRoot, environment)
  const state = readState(path)
  if (state === null) {
    throw new Refusal(`The plugin's state file ${path} cannot be read: mend it, or move it away.`)
  }
  const config = { ...state.config, stopReviewGate: enabled }
  const document = { version: 1, jobs: [], ...state, config }
  mkdirSync(dirname(path), { recursive: true })
  const beside = `${path}.${process.pid}`
  writeFileSync(beside, `${JSON.stringify(document, null, 2)}\n`)
  renameSync(beside, path)
}

/** Null: it cannot be read, or is not what the plugin writes. Empty: there is none. */
function readState(path: string): z.infer<typeof stateFile> | null {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    // Whoever cannot read it may not write over it.
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? {} : null
  }
  try {
    const parsed = z.safeParse(stateFile, JSON.parse(text))
    return parsed.success ? parsed.data : null
  } catch {
    return null // It is no JSON.
  }
}

/** Where the plugin has it (1.0.5), by the top of the checkout. */
function pathOf(workspaceRoot: string, environment: Variables): string {
  const name = basename(workspaceRoot)
    .replace(/[^a-zA-Z0-9._-]+/g, '-')
    .replace(/^-+|-+$/g, '')
  const hash = createHash('sha256').update(realPath(workspaceRoot)).digest('hex').slice(0, 16)
  const data = environment.CLAUDE_PLUGIN_DATA
  const states = data ? join(data, 'state') : join(tmpdir(), 'codex-companion')
  return join(states, `${name || 'workspace'}-${hash}`, 'state.json')
}

function realPath(path: string): string {
  try {
    return realpathSync.native(path)
  } catch {
    return path // It is gone.
  }
}
