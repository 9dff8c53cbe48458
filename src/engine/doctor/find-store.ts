import { AppError } from '../../domain/errors.ts'
import type { Damage, Store } from '../../ports/store.ts'
import type { TaskFiles } from '../../ports/task-files.ts'
import type { Worktrees } from '../../ports/worktrees.ts'
import { type Finding, fine, trouble } from './finding.ts'

const CHECK = 'store'
const SALVAGE = { kind: 'salvage_store' } as const

interface StoreLookPorts {
  readonly store: () => Promise<Store>
  readonly files: TaskFiles
  readonly worktrees: Worktrees
}

export async function findStoreTrouble(ports: StoreLookPorts): Promise<readonly Finding[]> {
  let damage: readonly Damage[]
  try {
    damage = await (await ports.store()).checkIntegrity()
  } catch (error) {
    const isDamaged = error instanceof AppError && error.code === 'store_unreadable'
    return [trouble(CHECK, 'error', error, isDamaged ? { repair: SALVAGE } : {})]
  }
  if (damage.length === 0) return [fine(CHECK, 'sound')]
  const structure = damage.filter(({ where }) => where.kind === 'structure')
  if (structure.length > 0) {
    const said = structure.map(({ text }) => text).join('; ')
    return [trouble(CHECK, 'error', said, { repair: SALVAGE })]
  }
  const vital = damage.filter(({ isVital }) => isVital)
  const findings = await Promise.all(vital.map(one => describe(one, ports)))
  const others = damage.filter(({ isVital }) => !isVital).map(({ text }) => text)
  if (others.length === 0) return findings
  const said = `${others.length} values are damaged that are only shown: ${others[0]}`
  return [...findings, trouble(CHECK, 'warning', said, { repair: { kind: 'clear_damage' } })]
}

async function describe(
  { where, text }: Damage,
  { files, worktrees }: StoreLookPorts,
): Promise<Finding> {
  switch (where.kind) {
    case 'structure':
      return trouble(CHECK, 'error', text)
    case 'task': {
      const { request } = await files.readCopies(where.id)
      return request === null
        ? trouble(CHECK, 'error', text, {
            hint: `prompt, output and patch are in ${files.directory(where.id)}`,
          })
        : trouble(CHECK, 'error', text, { repair: { kind: 'restore_task', task: where.id } })
    }
    case 'snapshot': {
      const { worktree, number } = where
      const copies = await files.listSnapshotCopies()
      const copy = copies.find(one => one.worktree === worktree && one.number === number)
      return copy === undefined
        ? trouble(CHECK, 'error', text, {
            hint: `its files are in the repository: git show refs/holdfast/${worktree}/snapshot/${number}`,
          })
        : trouble(CHECK, 'error', text, { repair: { kind: 'record_snapshot', snapshot: copy } })
    }
    case 'worktree': {
      const { place } = where
      const record = worktrees.recogniseWorktree(place)
      if (record !== undefined) {
        const repair = { kind: 'register_worktree', record, worktree: place.kind } as const
        return trouble(CHECK, 'error', text, { repair })
      }
      return worktrees.isThere(place.path)
        ? trouble(CHECK, 'error', text, { hint: `look at ${place.path} yourself` })
        : trouble(CHECK, 'error', text, {
            repair: { kind: 'forget_worktree', place, hasRow: true },
          })
    }
  }
}
