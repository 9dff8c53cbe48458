/**
 * What a task's worktree costs, beside plain git's in the same rounds. No tree is deleted before the
 * end: ext4 makes new files up to ten times more slowly for a minute after a mass unlink.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeTaskId, type TaskId, type WorktreeId, worktreeIdOf } from '../src/domain/ids.ts'
import type { Base } from '../src/domain/task.ts'
import type { SpareWorktree, UnleasedWorktree, WorktreeRecord } from '../src/ports/worktrees.ts'
import { loadProcessTable } from '../src/process/process-table.ts'
import { makeLocks } from '../src/store/locks.ts'
import { systemClock } from '../src/system-clock.ts'
import { makeWorktrees } from '../src/worktree/worktrees.ts'
import { spreadOf, timeProgram } from './measure.ts'
import type { Place } from './place.ts'
import { type Row, shownMs, shownSpread, verdictOf } from './table.ts'

const ROUNDS = 5
const SMALL = 10_000
const LARGE = 50_000
const MOVED = 50
const CHANGED = 100
const BOUNDS = { maxBytes: 500e6, maxFiles: 20_000 }
/** A snapshot may take so long where git's status is quicker than that. */
const SNAPSHOT_MS = 60

type Times = Readonly<Record<string, number>>

export async function measureWorktrees(place: Place): Promise<readonly Row[]> {
  const small = await Stand.open(place, 'small', SMALL)
  const large = await Stand.open(place, 'large', LARGE)
  const largeRounds = await inRounds(place, () => largeRound(large))
  const dirtyRounds = await inRounds(place, () => smallRound(small))
  const untracked = await measureUntracked(small)
  // Last: git unlinks.
  const smallRounds: Times[] = []
  for (const times of dirtyRounds) smallRounds.push({ ...times, remove: await small.gitRemove() })
  return [
    compare('50,000 files: made anew', largeRounds, 'cold', 'add', 0.9),
    compare('50,000 files: taken over', largeRounds, 'warm', 'add', 0.1),
    compare(`50,000 files: taken over, ${MOVED} moved on`, largeRounds, 'moved', 'add', 0.1),
    compare('50,000 files: proof', largeRounds, 'proof', 'status', 2),
    compare('10,000 files: taken over, 200 dirty', smallRounds, 'dirty', 'add', 0.25),
    compare('10,000 files: proof', smallRounds, 'proof', 'status', 2),
    compare('10,000 files: gone, as its user sees it', smallRounds, 'gone', 'remove', 0.02),
    snapshotRow(smallRounds),
    untracked,
  ]
}

async function inRounds(place: Place, round: () => Promise<Times>): Promise<readonly Times[]> {
  const rounds: Times[] = []
  // The first one fills the caches.
  for (let n = 0; n <= ROUNDS; n++) {
    place.signal.throwIfAborted()
    const times = await round()
    if (n > 0) rounds.push(times)
  }
  return rounds
}

async function largeRound(stand: Stand): Promise<Times> {
  const base = await stand.takeBase()
  const [first, second] = [await stand.makeSpare(), await stand.makeSpare()]
  const add = stand.gitAdd()
  const cold = await timed(() => stand.make(base))
  const warm = await timed(() => stand.claim(first, base))
  await stand.moveOn(MOVED)
  const ahead = await stand.takeBase()
  const moved = await timed(() => stand.claim(second, ahead))
  return { add, cold, warm, moved, ...(await stand.putAway(await stand.make(ahead))) }
}

async function smallRound(stand: Stand): Promise<Times> {
  const spare = await stand.makeSpare()
  const add = stand.gitAdd()
  await stand.makeDirty(stand.root, CHANGED)
  const base = await stand.takeBase()
  const dirty = await timed(() => stand.claim(spare, base))
  await stand.clean()
  const clean = await stand.takeBase()
  const worktree = await stand.make(clean)
  await stand.makeDirty(worktree.path, CHANGED)
  return { add, dirty, ...(await stand.putAway(worktree)) }
}

/** Else whoever comes next pays for what the one before has not yet written to the disk. */
function letDiskRest(): void {
  execFileSync('sync')
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  letDiskRest()
  const start = performance.now()
  await work()
  return performance.now() - start
}

function compare(
  figure: string,
  rounds: readonly Times[],
  what: string,
  by: string,
  bar: number,
): Row {
  const of = (name: string) => rounds.map(times => times[name] ?? Number.NaN)
  const ratio = spreadOf(of(what).map((time, n) => time / (of(by)[n] ?? Number.NaN)))
  return {
    figure,
    measured: shownMs(spreadOf(of(what)).median),
    baseline: `${BASELINES[by]} ${shownMs(spreadOf(of(by)).median)}`,
    spread: shownSpread(ratio),
    bar: `≤ ${bar} ×`,
    verdict: verdictOf(ratio.median, bar),
  }
}

const BASELINES: Readonly<Record<string, string>> = {
  add: 'git worktree add',
  remove: 'git worktree remove --force',
  status: 'git status -uall',
}

function snapshotRow(rounds: readonly Times[]): Row {
  const row = compare('10,000 files: snapshot, 200 changed', rounds, 'snapshot', 'status', 1.5)
  const taken = spreadOf(rounds.map(({ snapshot = Number.NaN }) => snapshot)).median
  const bar = `≤ 1.5 ×, or ${SNAPSHOT_MS} ms`
  return taken <= SNAPSHOT_MS
    ? { ...row, bar, verdict: verdictOf(taken, SNAPSHOT_MS) }
    : { ...row, bar }
}

/** More than is ever taken: it must be noticed soon, and said. */
async function measureUntracked(stand: Stand): Promise<Row> {
  const base = await stand.takeBase()
  const worktree = await stand.make(base)
  for (let n = 0; n < 100_000; n++) {
    if (n % 1_000 === 0) mkdirSync(join(worktree.path, `new-${n}`))
    writeFileSync(join(worktree.path, `new-${Math.floor(n / 1_000) * 1_000}`, `${n}.txt`), `${n}\n`)
  }
  let said = ''
  const took = await timed(async () => {
    await stand.snapshot(worktree).catch((error: Error) => {
      said = error.message
    })
  })
  const status = stand.gitStatus(worktree.path)
  return {
    figure: '100,000 untracked files: refused',
    measured: shownMs(took),
    baseline: `git status -uall ${shownMs(status)}`,
    spread: said.includes('files') ? 'said so' : 'NOT SAID',
    bar: '≤ 2 ×',
    verdict: verdictOf(took / status, 2),
  }
}

/** A repository, and worktrees of it that are made as a worker makes them. */
class Stand {
  readonly root: string
  readonly #place: Place
  readonly #top: string
  readonly #commonDir: string
  readonly #worktrees: ReturnType<typeof makeWorktrees>
  #count = 0

  private constructor(
    place: Place,
    root: string,
    top: string,
    worktrees: ReturnType<typeof makeWorktrees>,
  ) {
    this.#place = place
    this.root = root
    this.#top = top
    this.#commonDir = join(root, '.git')
    this.#worktrees = worktrees
  }

  static async open(place: Place, name: string, files: number): Promise<Stand> {
    const root = await place.repository(`worktrees-${name}`, files)
    await place.git(root, 'repack', '-a', '-d', '-q')
    const top = join(place.scratch, `trees-${name}`)
    for (const directory of [top, join(top, 'scratch'), join(top, 'trash')]) mkdirSync(directory)
    const worktrees = makeWorktrees({
      locks: makeLocks(join(top, 'locks'), systemClock),
      clock: systemClock,
      processes: await loadProcessTable(),
      environment: place.environment,
    })
    return new Stand(place, root, top, worktrees)
  }

  #next(): number {
    this.#count += 1
    return this.#count
  }

  #task(): TaskId {
    return makeTaskId(crypto.getRandomValues(new Uint8Array(10)))
  }

  async takeBase(): Promise<Base> {
    const checkout = await this.#worktrees.openCheckout(this.root)
    const order = { ...BOUNDS, changes: 'all', revision: null } as const
    return await this.#worktrees.captureBase(
      checkout,
      this.#task(),
      join(this.#top, 'scratch'),
      order,
    )
  }

  async make(base: Base): Promise<WorktreeRecord> {
    const id = worktreeIdOf(this.#task())
    return await this.#worktrees.createWorktree(id, join(this.#top, id), base, this.#commonDir)
  }

  async makeSpare(): Promise<SpareWorktree> {
    const id = `spare-${this.#next()}` as WorktreeId
    const { head } = await this.#worktrees.openCheckout(this.root)
    const path = join(this.#top, id)
    const spare = await this.#worktrees.makeSpare(id, path, head, this.#commonDir)
    if (spare === null) throw new Error('no spare worktree was made')
    return spare
  }

  async claim(spare: SpareWorktree, base: Base): Promise<void> {
    const id = worktreeIdOf(this.#task())
    const claimed = await this.#worktrees.claimSpare(spare, id, join(this.#top, id), base)
    if ('unfit' in claimed) throw new Error(`it was not taken: ${claimed.unfit}`)
  }

  async snapshot(worktree: WorktreeRecord) {
    const directory = join(this.#top, `snapshot-${this.#next()}`)
    mkdirSync(directory)
    const content = await this.#worktrees.takeSnapshot(worktree, 1, directory, BOUNDS, null)
    return { content, directory }
  }

  /** Until it is in the trash. The proof is made twice, before and after the rename. */
  async putAway(worktree: WorktreeRecord): Promise<Times> {
    const status = this.gitStatus(worktree.path)
    let taken: Awaited<ReturnType<Stand['snapshot']>> | undefined
    const snapshot = await timed(async () => {
      taken = await this.snapshot(worktree)
    })
    if (taken === undefined) throw new Error('no snapshot was taken')
    const { content, directory } = taken
    const proven = await this.#timeRetirement(worktree, content, directory)
    return { status, snapshot, ...proven }
  }

  /** By its crash points: what is proof, and what is seen as the removal itself. */
  async #timeRetirement(
    worktree: WorktreeRecord,
    content: Awaited<ReturnType<Stand['snapshot']>>['content'],
    directory: string,
  ): Promise<Times> {
    const { onReach } = await import('../src/domain/crash-points.ts')
    const at: Record<string, number> = {}
    onReach(point => {
      at[point] = performance.now()
    })
    letDiskRest()
    const start = performance.now()
    await this.#worktrees.retireWorktree(
      worktree as UnleasedWorktree,
      content,
      directory,
      join(this.#top, 'trash'),
    )
    const [proven = 0, again = 0] = [at['retire.proven'], at['retire.proven-again']]
    return { proof: proven - start, gone: performance.now() - again }
  }

  #git(directory: string, ...words: string[]): number {
    letDiskRest()
    return timeProgram(this.#place.program(directory, 'git', ...words))
  }

  gitAdd(): number {
    const path = join(this.#top, `git-${this.#next()}`)
    return this.#git(this.root, 'worktree', 'add', '-q', '--detach', path, 'HEAD')
  }

  async gitRemove(): Promise<number> {
    const path = join(this.#top, `git-${this.#next()}`)
    await this.#place.git(this.root, 'worktree', 'add', '-q', '--detach', path, 'HEAD')
    return this.#git(this.root, 'worktree', 'remove', '--force', path)
  }

  gitStatus(directory: string): number {
    return this.#git(directory, 'status', '--porcelain=v2', '-uall', '--no-renames')
  }

  async moveOn(files: number): Promise<void> {
    for (let n = 0; n < files; n++) this.#edit(this.root, n, `moved ${this.#next()}\n`)
    await this.#place.git(this.root, 'commit', '-q', '-a', '-m', 'moved on')
  }

  async makeDirty(root: string, each: number): Promise<void> {
    for (let n = 0; n < each; n++) {
      this.#edit(root, n, `edited ${this.#next()}\n`)
      writeFileSync(join(root, `new-${n}.txt`), `new ${n}\n`)
    }
  }

  async clean(): Promise<void> {
    await this.#place.git(this.root, 'reset', '-q', '--hard')
    await this.#place.git(this.root, 'clean', '-fdq')
  }

  #edit(root: string, n: number, text: string): void {
    const directory = n
    const path = `src/part-${Math.floor(directory / 10)}/module-${directory}/file-${n * 20}.ts`
    writeFileSync(join(root, path), text)
  }
}
