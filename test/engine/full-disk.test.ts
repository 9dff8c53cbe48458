/**
 * The disk fills up at each step of putting a worktree away and of bringing it back. Once there is
 * room again the same command ends it, and nothing was lost. Only where the tests may mount a disk.
 */
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
import { type CrashPoint, crashPoints, onReach } from '../../src/domain/crash-points.ts'
import { AppError } from '../../src/domain/errors.ts'
import type { WorktreeId } from '../../src/domain/ids.ts'
import { purgeTrash } from '../../src/engine/purge.ts'
import { bringBack, putAway } from '../../src/engine/put-away.ts'
import { mountSmallDisk } from '../small-disk.ts'
import { makeScene } from './scene.ts'

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

async function makeHouse() {
  const disk = mountSmall()
  const { holdfast, git, repo, ports } = await makeScene()
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
  const base = { commit: head, changes: null }
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
  { disk }: Awaited<ReturnType<typeof makeHouse>>,
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
  test.each(AWAY)('when a worktree is put away, at %s', async point => {
    const house = await makeHouse()
    const { ports, isThere, stateOf } = house
    const before = stateOf()
    const { reached, error } = await whenFull(house, point, () => putAway(ID, ports))
    expect(reached).toBe(true)
    requireExplained(error)
    if (await isThere()) {
      expect(stateOf()).toEqual(before)
      await putAway(ID, ports)
    }
    await bringBack(ID, null, ports)
    expect(stateOf()).toEqual(before)
    await purgeTrash(ports, () => true)
    expect(readdirSync(ports.files.trash())).toEqual([])
  })

  test.each(BACK)('when it is brought back, at %s', async point => {
    const house = await makeHouse()
    const { ports, isThere, stateOf } = house
    const before = stateOf()
    await putAway(ID, ports)
    const { reached, error } = await whenFull(house, point, () => bringBack(ID, null, ports))
    expect(reached).toBe(true)
    requireExplained(error)
    if (!(await isThere())) await bringBack(ID, null, ports)
    expect(stateOf()).toEqual(before)
  })
})
