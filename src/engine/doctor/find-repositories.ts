/** What else there is in the repositories that we work in, and touches us: other tools' worktrees, remotes. */
import { permanentWorktreeId, type WorktreeId } from '../../domain/ids.ts'
import { findOtherTool } from '../../domain/other-tools.ts'
import type { RegisteredWorktree } from '../../ports/worktrees.ts'
import type { Adoptable } from '../adopt.ts'
import type { WorktreeLookPorts } from './find-worktrees.ts'
import { type Finding, trouble } from './finding.ts'

const CHECK = 'repositories'

export interface RepositoryLook {
  /** Where Codex keeps its own, absolute. */
  readonly codexHome: string
  /** The common git directory that the caller stands in; null: none. */
  readonly here: string | null
  readonly hash: (text: string) => string
}

export async function findRepositoryTrouble(
  look: RepositoryLook,
  ports: WorktreeLookPorts,
): Promise<readonly Finding[]> {
  const { store } = ports
  const repositories = new Set(await store.listRepositories())
  if (look.here !== null) repositories.add(look.here)
  const findings: Finding[] = []
  for (const commonDir of repositories) {
    // One that is gone is told with its worktrees.
    if (!ports.worktrees.isThere(commonDir)) continue
    findings.push(...(await findOthers(commonDir, look, ports)))
    findings.push(...(await findMirrors(commonDir, ports)))
  }
  return findings
}

async function findOthers(
  commonDir: string,
  look: RepositoryLook,
  { store, worktrees }: WorktreeLookPorts,
): Promise<readonly Finding[]> {
  const known = await store.listWorktrees()
  const paths = new Set(known.map(({ path }) => path))
  const taken = new Set<string>(known.map(({ id }) => id))
  const findings: Finding[] = []
  for (const registered of await worktrees.listRegistered(commonDir)) {
    const { path } = registered
    if (paths.has(path)) continue
    if (!worktrees.isThere(path)) {
      findings.push(...describeVanished(registered))
      continue
    }
    const adoptable = describeOther(registered, commonDir, look, taken)
    if (adoptable === undefined) continue
    taken.add(adoptable.id)
    const said = `${path} is a worktree of ${adoptable.tool}`
    findings.push({
      check: CHECK,
      status: 'ok',
      message: said,
      hint: null,
      repair: { kind: 'adopt', adoptable },
    })
  }
  return findings
}

function describeOther(
  { path, lockReason }: RegisteredWorktree,
  commonDir: string,
  { codexHome, hash }: RepositoryLook,
  taken: ReadonlySet<string>,
): Adoptable | undefined {
  const found = findOtherTool(path, codexHome)
  if (found === undefined) return undefined
  const repository = hash(commonDir)
  for (let n = 1; ; n++) {
    const name = n === 1 ? found.name : `${found.name}-${n}`
    const id: WorktreeId = permanentWorktreeId(name, repository)
    if (taken.has(id)) continue
    return { id, name, tool: found.tool, path, commonDir, lock: lockReason }
  }
}

/** Of others than us: perhaps only its disk is missing, so nothing is done to it. */
function describeVanished({ path, branch, lockReason }: RegisteredWorktree): readonly Finding[] {
  if (branch === null || lockReason?.startsWith('holdfast ') === true) return []
  const held = branch.replace(/^refs\/heads\//, '')
  const said = `${path} is gone, and still holds the branch ${held}: nobody can check it out`
  const force = lockReason === null ? '' : '-f -f '
  const hint = `unless it is on a disk that is not mounted: git worktree remove ${force}'${path}'`
  return [trouble(CHECK, 'warning', said, { hint })]
}

async function findMirrors(
  commonDir: string,
  { worktrees }: WorktreeLookPorts,
): Promise<readonly Finding[]> {
  return (await worktrees.listMirrors(commonDir)).map(remote =>
    trouble(
      CHECK,
      'warning',
      `a push to ${remote} of ${commonDir} takes all refs along: also refs/holdfast/, which hold uncommitted work`,
      {
        hint: `let it push branches and tags alone: git config unset remote.${remote}.mirror, and remote.${remote}.push '+refs/heads/*:refs/heads/*'`,
      },
    ),
  )
}
