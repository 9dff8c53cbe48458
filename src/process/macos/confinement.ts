/** The confinement of macOS: Seatbelt. */
import { execFile } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '../../domain/errors.ts'
import type { Confinement } from '../../ports/confinement.ts'
import { type ConfinementOptions, leadTemporary, resolveOwn } from '../confinement/confinement.ts'
import { findHidden, findReal, userHomes } from '../confinement/hidden.ts'
import { seatbeltProfile } from './seatbelt.ts'

/** A part of the system, which nobody can replace. */
const PROGRAM = '/usr/bin/sandbox-exec'
/** It takes 10 ms. */
const TRIAL_LIMIT_MS = 30_000

export function makeSeatbelt({ home, isSandboxed }: ConfinementOptions): Confinement {
  let works = false
  const requireWorking = async () => {
    if (!works) await trial()
    works = true
  }
  return {
    async requireWorking() {
      try {
        await requireWorking()
      } catch (error) {
        if (!(await isSandboxed())) throw error
      }
    },
    // No rule that we know forbids a program to type at its own terminal.
    holdsTerminals: false,
    async enclose(given) {
      await requireWorking()
      const real = (path: string) => findReal(path)[0] ?? path
      const temporary = join(given.scratch, 'tmp')
      mkdirSync(temporary, { recursive: true, mode: 0o700 })
      const confines = {
        ...given,
        worktree: real(given.worktree),
        commonDir: real(given.commonDir),
        program: real(given.program),
        scratch: real(given.scratch),
        own: resolveOwn(given.own),
      }
      const { environment } = confines
      const all = { always: [home], replaced: [] }
      const led = leadTemporary({ ...environment, TMPDIR: temporary }, temporary)
      const hidden = findHidden(userHomes(environment), environment, all)
      return {
        argv: [
          PROGRAM,
          '-p',
          seatbeltProfile(confines, hidden),
          '/usr/bin/env',
          ...Object.entries(led).flatMap(([name, value]) =>
            value === null ? ['-u', name] : [`${name}=${value}`],
          ),
        ],
        generations: 0,
      }
    },
  }
}

async function trial(): Promise<void> {
  const args = ['-p', '(version 1)(allow default)', '/usr/bin/true']
  const options = { cwd: '/', env: {}, timeout: TRIAL_LIMIT_MS, killSignal: 'SIGKILL' } as const
  const words = await new Promise<string | null>(resolve => {
    execFile(PROGRAM, args, options, (error, _, stderr) => {
      resolve(error === null ? null : stderr.trim() || error.message)
    }).stdin?.end()
  })
  if (words === null) return
  throw new AppError('permissions_unavailable', `sandbox-exec does not work here: ${words}`, {
    hint: 'let it do all that you may: --permissions full',
  })
}
