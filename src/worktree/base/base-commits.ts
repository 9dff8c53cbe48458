/** The commits that hold a base: its traits, its index, and on top of both its working files. */
import { reach } from '../../domain/crash-points.ts'
import type { CommitId } from '../../domain/ids.ts'
import type { Delta } from '../capture/capture.ts'
import { type Stored, verifyCommits } from '../capture/read-back.ts'
import { refOf, type TakenAs } from '../capture/refs.ts'
import { describeTraits, storeTraits, type Traits } from '../capture/traits.ts'
import type { ObjectFormat } from '../files/contents.ts'
import type { FastImport } from '../git/fast-import.ts'
import type { Git, GitPlace } from '../git/git.ts'

export interface BaseContent {
  readonly owner: string
  readonly as: TakenAs
  readonly commit: CommitId
  readonly format: ObjectFormat
  /** Milliseconds since 1970. */
  readonly now: number
  /** `commit` → index. */
  readonly staged: Delta
  /** `commit` → working files. */
  readonly working: Delta
  readonly traits: Traits
}

export interface BaseCommits {
  readonly snapshot: CommitId
  /** Null: nothing is staged. */
  readonly staged: CommitId | null
  /** Null: trees say it all. */
  readonly traits: CommitId | null
}

/** Makes them, with the ref that holds all of them, and reads them back. Ends the importer. */
export async function commitBase(
  git: Git,
  place: GitPlace,
  importer: FastImport,
  { owner, as, commit, format, now, staged, working, traits }: BaseContent,
): Promise<BaseCommits> {
  const orders: { what: keyof BaseCommits; parent: CommitId | null; delta: Delta }[] = []
  const files = describeTraits(traits)
  if (files.size > 0) {
    const delta = await storeTraits(importer, format, files, traits)
    orders.push({ what: 'traits', parent: null, delta })
  }
  if (staged.size > 0) orders.push({ what: 'staged', parent: commit, delta: staged })
  const beside = orders.map((_, n) => n)
  orders.push({ what: 'snapshot', parent: commit, delta: working })
  for (const { what, parent, delta } of orders) {
    await importer.commit({
      ref: refOf(owner, as),
      message: `holdfast ${owner}: the ${as === 'base' ? 'caller' : 'worktree'}'s ${names[what]}\n`,
      time: Math.floor(now / 1000),
      from: parent,
      merge: what === 'snapshot' ? beside : [],
      entries: delta,
    })
  }
  reach('base.commits-given')
  const storing = importer.finish().then(ids => {
    reach('base.imported')
    if (ids.length !== orders.length) throw new Error('git fast-import named too few commits')
    return orders.map((order, n): Stored => ({ ...order, commit: ids[n] ?? commit }))
  })
  await verifyCommits(git, place, storing)
  reach('base.read-back')
  const made = await storing
  const idOf = (what: keyof BaseCommits) =>
    made[orders.findIndex(order => order.what === what)]?.commit ?? null
  return { snapshot: idOf('snapshot') ?? commit, staged: idOf('staged'), traits: idOf('traits') }
}

const names: Readonly<Record<keyof BaseCommits, string>> = {
  traits: 'traits',
  staged: 'index',
  snapshot: 'working files',
}
