/**
 * The disk fills up at each step of putting a worktree away and of bringing it back. Once there is
 * room again the same command ends it, and nothing was lost. Only where the tests may mount a disk.
 */
import { randomBytes } from 'node:crypto'
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { defaultBounds } from '../../src/domain/configuration.ts'
import { type CrashPoint, crashPoints, onReach } from '../../src/domain/crash-points.ts'
import { AppError } from '../../src/domain/errors.ts'
import { makeTaskId, type TaskId, type WorktreeId, worktreeIdOf } from '../../src/domain/ids.ts'
import type { Base } from '../../src/domain/task.ts'
import { claimSpare, keepPool } from '../../src/engine/pool.ts'
import { purgeTrash } from '../../src/engine/purge.ts'
import { putAway } from '../../src/engine/put-away.ts'
import { restoreWorktree } from '../../src/engine/restore.ts'
import { isMachineTrouble, isStoreTrouble } from '../../src/engine/trouble.ts'
import { mountSmallDisk, type SmallDisk } from '../small-disk.ts'
import { makeHandOffHouse } from './handoff-house.ts'
import { makeRequest, makeScene } from './scene.ts'

const ID = 'the-worktree' as WorktreeId

const pointsOf = (step: string) => Object.keys(crashPoints[step] ?? {}) as CrashPoint[]
const AWAY: readonly CrashPoint[] = [
  'base.looked-at',
  'base.blobs-given',
  'base.imported',
  ...pointsOf('Retiring'),
]
const BACK: readonly CrashPoint[] = [
  ...pointsOf('Restoring'),
  'worktree.locked',
  'worktree.registered',
  'worktree.filled',
  'worktree.staged',
]

const TAKEN_OVER = pointsOf('Making a spare worktree, and taking it over').filter(point =>
  ['taken', 'filled', 'locked', 'renamed', 'moved'].some(step => point === `spare.${step}`),
)
const HANDED_OFF: readonly CrashPoint[] = [
  'apply.journal-written',
  'exchange.put',
  'apply.row-committed',
  'hand-off.files-written',
  'hand-off.state-held',
  'hand-off.session-carried',
]

/** A disk of its own for all temporary files; what fills it, and what gives the room back. */
function mountSmall() {
  const place = mkdtempSync(join(tmpdir(), 'holdfast-full-'))
  const disk = mountSmallDisk(place, '32m')
  vi.stubEnv('TMPDIR', place)
  onTestFinished(() => {
    vi.unstubAllEnvs()
    disk.unmount()
    rmSync(place, { recursive: true })
  })
  return disk
}

/** Where it is filled; `isInside`: there is a submodule too. */
const filledAt = (points: readonly CrashPoint[], inside: readonly CrashPoint[] = []) => [
  ...points.map(point => ({ name: point, point, isInside: point.includes('.submodule') })),
  ...inside.map(point => ({ name: `${point} with a submodule`, point, isInside: true })),
]

/** With a submodule `lib`, which a task that starts here has populated. */
async function carrySubmodule(
  { git, repo, ports }: Awaited<ReturnType<typeof makeScene>>,
  scratch: string,
): Promise<Base> {
  const origin = join(scratch, 'origin')
  git('clone', '--quiet', repo, origin)
  git('-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', origin, 'lib')
  git('commit', '--quiet', '--message=with a submodule')
  const checkout = await ports.worktrees.openCheckout(repo)
  const order = { changes: 'all', revision: null, ...defaultBounds.capture } as const
  const owner = makeTaskId(randomBytes(16))
  return await ports.worktrees.captureBase(checkout, owner, scratch, order)
}

async function makeHouse(isInside: boolean) {
  const disk = mountSmall()
  const scene = await makeScene()
  const { holdfast, git, repo, ports } = scene
  const all = {
    ...ports,
    locks: await holdfast.locks(),
    processes: await holdfast.processes(),
    host: await holdfast.host(),
    confinement: await holdfast.confinement(),
    trust: await holdfast.trust(),
    environment: {},
    rights: 'agents' as const,
    tell: () => undefined,
    directory: '/',
  }
  onTestFinished(() => ports.store.close())
  const { head, place } = await ports.worktrees.openCheckout(repo)
  const tree = join(ports.files.worktreesDirectory(), ID)
  const plain = { commit: head, changes: null }
  const base = isInside
    ? await carrySubmodule(scene, mkdtempSync(join(tmpdir(), 'inside-')))
    : plain
  const record = await ports.worktrees.createWorktree(ID, tree, base, place.commonDir)
  await ports.store.registerWorktree(record, 'managed')
  const write = (name: string, content: string | Uint8Array) => {
    writeFileSync(join(record.path, name), content)
  }
  const inTree = (...words: string[]) => git('-C', record.path, ...words)
  write('.gitignore', '*.secret\n')
  write('own.secret', 'nowhere else\n')
  write('file', 'staged\n')
  inTree('add', '.')
  write('file', 'and edited\n')
  mkdirSync(join(record.path, 'deep'))
  write('deep/untracked', Buffer.from([0, 255, 10]))
  if (isInside) {
    write('lib/file', 'by the agent\n')
    inTree('-C', 'lib', 'commit', '--quiet', '--all', '--message=never pushed')
    write('lib/own.secret', 'nowhere else\n')
  }
  const stateOf = () => ({
    files: readdirSync(record.path, { recursive: true, encoding: 'utf8' })
      .sort()
      .filter(name => lstatSync(join(record.path, name)).isFile() && name !== '.git')
      .map(name => [name, readFileSync(join(record.path, name), 'latin1')]),
    index: inTree('ls-files', '--stage', '-z'),
    status: inTree('status', '--porcelain=v2', '-z', '--untracked-files=all', '--ignored'),
    head: inTree('rev-parse', 'HEAD'),
  })
  const isThere = async () => {
    const stored = await ports.store.findWorktree(ID)
    return stored?.record != null && ports.worktrees.lookAtWorktree(stored.record) === 'present'
  }
  return { disk, ports: all, isThere, stateOf }
}

/** Fills the disk at a point, and frees it when `work` is over. How that went. */
async function whenFull(
  { disk }: { readonly disk: SmallDisk },
  at: CrashPoint,
  work: () => Promise<unknown>,
): Promise<{ readonly reached: boolean; readonly error: unknown }> {
  let reached = false
  onReach(point => {
    if (point !== at || reached) return
    reached = true
    disk.fill()
  })
  try {
    await work()
    return { reached, error: null }
  } catch (error) {
    return { reached, error }
  } finally {
    onReach(() => undefined)
    disk.free()
  }
}

/** Somebody is told what to do about it; it is no bug. */
function requireExplained(error: unknown): void {
  if (error === null) return
  expect(error).toBeInstanceOf(AppError)
  expect((error as Error).message).not.toBe('')
}

describe.skipIf(process.getuid?.() !== 0)('the disk is full', () => {
  const away = filledAt(AWAY, ['snapshot.ignored-kept', 'retire.proven'])
  test.each(away)('when a worktree is put away, at $name', async ({ point, isInside }) => {
    const house = await makeHouse(isInside)
    const { ports, isThere, stateOf } = house
    const before = stateOf()
    const { reached, error } = await whenFull(house, point, () => putAway(ID, ports))
    expect(reached).toBe(true)
    requireExplained(error)
    if (await isThere()) {
      expect(stateOf()).toEqual(before)
      await putAway(ID, ports)
    }
    await restoreWorktree(ID, null, ports)
    expect(stateOf()).toEqual(before)
    await purgeTrash(ports, () => true)
    expect(readdirSync(ports.files.trash())).toEqual([])
  })

  const back = filledAt(BACK, ['worktree.staged'])
  test.each(back)('when it is brought back, at $name', async ({ point, isInside }) => {
    const house = await makeHouse(isInside)
    const { ports, isThere, stateOf } = house
    const before = stateOf()
    await putAway(ID, ports)
    const { reached, error } = await whenFull(house, point, () => restoreWorktree(ID, null, ports))
    expect(reached).toBe(true)
    requireExplained(error)
    if (!(await isThere())) await restoreWorktree(ID, null, ports)
    expect(stateOf()).toEqual(before)
  })

  test.each(TAKEN_OVER)('when a task takes over a spare worktree, at %s', async point => {
    const disk = mountSmall()
    const { git, repo, ports } = await makeScene()
    const { store, files, worktrees, clock } = ports
    onTestFinished(() => store.close())
    const checkout = await worktrees.openCheckout(repo)
    const { head, place } = checkout
    const task = async (id: TaskId) => {
      const base = { commit: head, changes: null }
      const request = { ...makeRequest(id, place, base), createdAt: clock.now() }
      await files.create(id, place.commonDir)
      await store.submitTask(request)
      const claimed = await store.claimNext(20, () => 'fresh')
      if (claimed === undefined) throw new Error('nothing was claimed')
      const order = {
        id: worktreeIdOf(id),
        path: files.worktreePath(id),
        commonDir: place.commonDir,
      }
      return { request, attempt: claimed.attempt, order }
    }
    await task(makeTaskId(randomBytes(16)))
    const { request, attempt, order } = await task(makeTaskId(randomBytes(16)))
    await keepPool({ size: 1, fewestFiles: 0 }, true, ports, () => true)
    expect(await store.listSpares()).toHaveLength(1)
    await store.leaseWorktree(attempt, { ...order, kind: 'managed' })

    const outcome = await whenFull({ disk }, point, () => claimSpare({ request }, order, ports))
    expect(outcome.reached).toBe(true)
    if (outcome.error !== null) {
      expect([isMachineTrouble, isStoreTrouble].some(isIt => isIt(outcome.error))).toBe(true)
    }
    // As the next attempt does.
    const again = await claimSpare({ request }, order, ports)
    const record =
      again.worktree ??
      (await worktrees.createWorktree(order.id, order.path, request.base, order.commonDir))
    await store.recordWorktree(attempt, record)
    expect(readFileSync(join(order.path, 'file'), 'utf8')).toBe('one\n')
    const status = ['status', '--porcelain', '--ignored']
    expect(git('-C', order.path, ...status)).toBe('')
    expect(git('-C', order.path, 'rev-parse', 'HEAD').trim()).toBe(head)
    expect(worktrees.lookAtWorktree(record)).toBe('present')
    await keepPool({ size: 0, fewestFiles: 0 }, true, ports, () => true)
    expect(await store.listSpares()).toEqual([])
    expect(git('worktree', 'list', '--porcelain').match(/^worktree /gm)).toHaveLength(2)
  })

  test.each(HANDED_OFF)('when a task is handed off, at %s', async point => {
    const disk = mountSmall()
    const house = await makeHandOffHouse()
    const { run, handOff, undo, look, everything, write, read } = house
    onTestFinished(() => house.ports.store.close())
    write({ 'mine.txt': 'mine\n' })
    const task = await run()
    const before = everything()
    const { reached, error } = await whenFull({ disk }, point, () => handOff(task))
    expect(reached).toBe(true)
    requireExplained(error)
    if ((await look(task.request.id)).taken?.how !== 'handed_off') await handOff(task)
    expect(read('file')).toBe('one\nby the agent\n')
    expect(read('mine.txt')).toBe('mine\n')
    await undo(task)
    expect(everything()).toEqual(before)
  })
})
