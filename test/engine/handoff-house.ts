import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { asSessionId, type TaskId } from '../../src/domain/ids.ts'
import type { Task } from '../../src/domain/task.ts'
import { findStay } from '../../src/engine/find-stay.ts'
import { type HandBackPorts, handBackTask, undoHandBack } from '../../src/engine/hand-back.ts'
import { handOffTask, undoHandOff } from '../../src/engine/hand-off.ts'
import type { Agent, SessionMove } from '../../src/ports/agent.ts'
import type { ApplyMode } from '../../src/ports/applications.ts'
import { exactly } from '../exactly.ts'
import { fingerprint } from '../fingerprint.ts'
import { makeScene, runTask } from './scene.ts'

export const SESSION = asSessionId('the-session')

/** Says where the session was carried to, and whether it can be carried at all. */
class Sessions {
  readonly carried: SessionMove[] = []
  canMove = true

  readonly agent = {
    interactive: (session: string) => ['agent', 'resume', session],
    planSessionMove: async (move: SessionMove) =>
      this.canMove
        ? { kind: 'moves', carry: async () => void this.carried.push(move) }
        : { kind: 'stays', why: 'it is nailed down' },
  } as unknown as Agent

  get where(): string | undefined {
    return this.carried.at(-1)?.to
  }
}

export type Files = Readonly<Record<string, string | null>>

export async function makeHandOffHouse(
  work: Files = { file: 'one\nby the agent\n', new: 'new\n' },
) {
  const { holdfast, git, repo, ports: shared } = await makeScene()
  const sessions = new Sessions()
  const ports: HandBackPorts = {
    ...shared,
    applications: await holdfast.applications(),
    locks: await holdfast.locks(),
    agent: async () => sessions.agent,
  }
  const { store, files, worktrees } = ports
  const write = (given: Files, root = repo) => {
    for (const [name, content] of Object.entries(given)) {
      if (content === null) rmSync(join(root, name))
      else {
        mkdirSync(join(root, name, '..'), { recursive: true })
        writeFileSync(join(root, name), content)
      }
    }
  }
  const read = (name: string, root = repo) =>
    existsSync(join(root, name)) ? readFileSync(join(root, name), 'utf8') : null
  const look = async (id: TaskId): Promise<Task> => {
    const task = await store.findTask(id)
    if (task === undefined) throw new Error('there is no such task')
    return { ...task, session: SESSION }
  }

  /** A task whose agent has done its work; what it ignores lies in its worktree too. */
  async function run(): Promise<Task> {
    const id = await runTask(shared, repo, tree => write(work, tree))
    return await look(id)
  }

  const wishOf = (mode: ApplyMode) => ({
    mode,
    isStopped: () => false,
    onMended: () => undefined,
    environment: {},
  })
  return {
    holdfast,
    git,
    repo,
    ports,
    sessions,
    write,
    read,
    look,
    run,
    tree: (task: Task) => files.worktreePath(task.request.id),
    /** Files to the byte, directories and permissions; and index, HEAD, refs and stash. */
    everything: () => ({
      files: [...exactly({ root: repo })],
      rest: fingerprint(repo, (...words) => git(...words), false),
    }),
    index: () => readFileSync(join(repo, '.git', 'index'), 'latin1'),
    handOff: async ({ request: { id } }: Task, mode: ApplyMode = 'clean', to = repo) => {
      const target = await worktrees.openCheckout(to)
      return await handOffTask(await look(id), { target, ...wishOf(mode) }, ports)
    },
    handBack: async ({ request: { id } }: Task, mode: ApplyMode = 'clean') =>
      await handBackTask(await look(id), wishOf(mode), ports),
    undo: async ({ request: { id } }: Task) => {
      const task = await look(id)
      const stay = await findStay(task, store)
      if (stay.kind === 'as_it_was') throw new Error('it is not handed off')
      return stay.kind === 'handed_back'
        ? await undoHandBack(task, stay, {}, ports)
        : await undoHandOff(stay.home, stay.handOff, {}, ports)
    },
  }
}
