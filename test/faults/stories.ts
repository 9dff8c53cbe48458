/** What happens in each scenario of the kill matrix, while it strikes at one point. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { pathWith, putPluginHost, putProgram } from '../end-to-end/hosts.ts'
import { eventually } from '../eventually.ts'
import type { Actor } from './cast.ts'
import type { CodexScript } from './codex.ts'
import type { RepositoryKind } from './ground.ts'
import { countSpares, readRows, readTasks } from './rows.ts'
import type { Scene } from './scene.ts'
import { readIfThere } from './stage.ts'
import type { Expected } from './verify.ts'

type Files = Readonly<Record<string, string | null>>
type Wanted =
  | 'nothing'
  | (Omit<Exclude<Expected, 'nothing'>, 'patch'> & {
      /** What the agent leaves behind; null: nothing is collected. */
      readonly files: Files | null
    })

export interface Story {
  readonly about: string
  readonly repository: RepositoryKind
  /** What the agent does: `programs/codex` reads it. */
  readonly steps: string
  readonly environment?: Readonly<Record<string, string>>
  /** Undefined: the keeper of sessions does it. */
  readonly codex?: CodexScript
  /** Where an agent stands still that must live while its worker is struck. */
  readonly gate?: string
  /** The tasks that it hands in. It arms the strike when it is time to. */
  readonly tell: (scene: Scene) => Promise<readonly string[]>
  readonly end: (struck: readonly Actor[]) => Wanted
}

const WORK = `once work 'printf "made by the agent\\n" >made.txt
  printf "one\\nTWO by the agent\\nthree\\n" >kept.txt
  mkdir -p deep && printf "\\000binary\\377\\n" >deep/blob.bin
  rm -f gone.txt'
reach agent.mid-model
once tool 'command -p setsid --wait "$here/tool.sh"'
say '{"type":"item.completed","item":{"id":"i","type":"agent_message","text":"All done."}}'
`
const DONE = `say '{"type":"turn.completed","usage":{"input_tokens":1,"cached_input_tokens":0,"output_tokens":1}}'
reach agent.turn-ended
`
const FAILED = `say '{"type":"turn.failed","error":{"message":"the model is of no use"}}'
reach agent.turn-ended
exit 1
`

/** What somebody says to it besides its prompt. */
const MORE = 'and this'
/** Whoever is told it writes that down. */
const HEARS = `case $told in *"${MORE}"*) echo heard >>"$KEEPER/heard" ;; esac
`

/** It is told once, whoever of us was killed. */
function heardWrong({ stage }: Scene): string[] {
  const heard = readIfThere(join(stage.keeper, 'heard')) ?? ''
  return heard === 'heard\n' ? [] : [`it was told ${heard.split('\n').length - 1} times`]
}

const LIMITED = `if [ ! -e "$KEEPER/limited" ]; then
  : >"$KEEPER/limited"
  say '{"type":"turn.failed","error":{"message":"You have hit your usage limit. Try again in 1 second."}}'
  exit 1
fi
`

const UNFINISHED: Files = {
  'made.txt': 'made by the agent\n',
  'kept.txt': 'one\nTWO by the agent\nthree\n',
  'deep/blob.bin': '\0binary\xff\n',
  'gone.txt': null,
  'tool.txt': 'begun by a tool\n',
}
const FINISHED: Files = { ...UNFINISHED, 'tool.txt': 'begun by a tool\nended by a tool\n' }

const succeeded = (files: Files | null) => () =>
  ({ state: 'succeeded', files, worktrees: 1 }) as const
const TASK = ['run', 'codex', 'do as you are told']

const REVIEW_TASK = ['review', '--uncommitted', '--agent', 'codex']
const REVIEW = `say '{"type":"item.completed","item":{"id":"i","type":"agent_message","text":"{\\"verdict\\":\\"approve\\",\\"summary\\":\\"It is well.\\",\\"findings\\":[],\\"next_steps\\":[]}"}}'
`

const VERIFIED = [...TASK, '--permissions', 'full', '--verify', 'test -e mended.txt']
/** The second time that it comes to this, it was told that something is missing. */
const MENDED_WHEN_TOLD = `if [ -e "$KEEPER/told" ]; then once mend 'echo mended >mended.txt'; fi
: >"$KEEPER/told"
`
const MENDED: Files = { ...FINISHED, 'mended.txt': 'mended\n' }

const SNAPSHOTS = { HOLDFAST_SNAPSHOT_SECONDS: '1' }

const MY_TABLE = '# mine\n5 4 * * * run-me\n'

/** A `crontab` that keeps its table in a file, with lines of the user's in it. */
function putCrontab({ scratch, environment }: Scene['stage']): string {
  const [directory, table] = [join(scratch, 'cron'), join(scratch, 'cron', 'table')]
  mkdirSync(directory)
  writeFileSync(table, MY_TABLE)
  const script = `#!/bin/sh\nif [ "$1" = -l ]; then cat '${table}'; else cat >'${table}'; fi\n`
  writeFileSync(join(directory, 'crontab'), script, { mode: 0o755 })
  environment.PATH = `${directory}:${environment.PATH}`
  return table
}

const ASKING_AGENT = fileURLToPath(new URL('../fixtures/acp-agent.mjs', import.meta.url))
const ANSWER_EVERY_MS = 100

/** Somebody who says yes to whatever is asked. */
async function answerAll({ stage }: Scene, id: string, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    const task = readTasks(stage.home).find(one => one.id === id)
    if (task?.state === 'needs_input') await stage.run(['answer', id, '1'], '/')
    await sleep(ANSWER_EVERY_MS)
  }
}

/** A task that has ended, and somebody who has gone on in its worktree: staged, unstaged, ignored. */
async function workLeft(scene: Scene): Promise<{ id: string; before: string }> {
  const id = await endedTask(scene)
  const { stage } = scene
  const tree = join(stage.home, 'worktrees', id)
  mkdirSync(join(tree, 'late'))
  writeFileSync(join(tree, 'late', '.gitignore'), '*.secret\n')
  writeFileSync(join(tree, 'late', 'own.secret'), 'nowhere else\n')
  writeFileSync(join(tree, 'kept.txt'), 'staged\n')
  stage.ground.git(tree, 'add', 'kept.txt')
  writeFileSync(join(tree, 'kept.txt'), 'and edited again\n')
  writeFileSync(join(tree, 'late', 'new.txt'), 'late\n')
  const inside = join(tree, 'lib')
  if (existsSync(inside)) {
    stage.ground.git(inside, 'commit', '--quiet', '--all', '--message=never pushed')
    writeFileSync(join(inside, 'kept.txt'), 'and edited again\n')
  }
  return { id, before: stateOf(scene, id) }
}

/** HEAD, index and all files, ignored ones too; but for a directory that set-up has made alone. */
function stateOf({ stage }: Scene, id: string): string {
  const tree = join(stage.home, 'worktrees', id)
  const git = (...words: string[]) => stage.ground.git(tree, ...words)
  const files = [...git('ls-files', '-z', '-co').split('\0'), 'late/own.secret']
  const inside = join(tree, 'lib')
  const isPopulated = existsSync(inside)
  if (isPopulated) files.push('lib/kept.txt', 'lib/untracked.txt')
  const kept = files.filter(name => !name.startsWith('built/') && name !== 'lib')
  const contents = [...new Set(kept)].sort().map(name => {
    const path = join(tree, name)
    return [name, existsSync(path) && name !== '' ? readFileSync(path, 'latin1') : null]
  })
  const factsOf = (place: string) =>
    [
      ['rev-parse', 'HEAD'],
      ['ls-files', '-s'],
      ['status', '--porcelain'],
    ].map(words => stage.ground.git(place, ...words))
  const facts = [...factsOf(tree), ...(isPopulated ? factsOf(inside) : [])]
  return JSON.stringify([facts, contents], null, 1)
}

function requireSame(scene: Scene, id: string, before: string): void {
  const now = stateOf(scene, id)
  if (now !== before) throw new Error(`work lost: 1 bytes: it was\n${before}\nand is\n${now}`)
}

/** What `restore` and `handoff` say of one that is back already. */
const IS_BACK = /is there$|is in its worktree again/m

/** Gives a command that is killed, and then sees to it that it is done. */
type Insist = (scene: Scene, words: readonly string[]) => Promise<void>

/** Whoever saw the command killed gives it again. */
async function untilDone({ stage, strike }: Scene, words: readonly string[]): Promise<void> {
  for (let tries = 1; ; tries++) {
    const { code, signal, stderr } = await stage.run(words)
    if (tries === 1) await strike.landed
    if (code === 0 || (signal === null && IS_BACK.test(stderr))) return
    if (signal === null || tries === 5) throw new Error(`${words[0]}: ${stderr}`)
  }
}

async function askDoctor({ stage, strike }: Scene, words: readonly string[]): Promise<void> {
  await stage.run(words)
  await strike.landed
  await stage.run(['doctor', '--fix'])
}

/** Its worktree is put away and brought back; one of the two is killed. */
function putAwayStory(
  about: string,
  killed: 'archive' | 'restore',
  insist: Insist,
  repository: RepositoryKind = 'dirty',
): Story {
  return {
    about,
    repository,
    steps: WORK + DONE,
    async tell(scene) {
      if (repository === 'ready') await scene.ok(['trust', '--yes'])
      const { id, before } = await workLeft(scene)
      if (killed === 'restore') await scene.ok(['archive', id])
      scene.strike.arm()
      await insist(scene, [killed, id])
      const { code, stderr } = await scene.stage.run(['restore', id])
      if (code !== 0 && !IS_BACK.test(stderr)) throw new Error(`restore: ${stderr}`)
      requireSame(scene, id, before)
      await emptyTrash(scene)
      return [id]
    },
    end: succeeded(FINISHED),
  }
}

async function endedTask(scene: Scene): Promise<string> {
  const id = await scene.submitted(TASK)
  await scene.untilEnded(id)
  return id
}

/** A worker does it while it is idle; where it was killed, somebody starts another. */
async function worked(scene: Scene, what: string, isDone: () => boolean): Promise<void> {
  const isOver = async () => {
    if (isDone()) return true
    await scene.stage.run(['worker', 'start'], '/')
    return isDone()
  }
  await eventually(what, isOver, 120_000)
}

/** Where a worker is at it already, it ends it. */
async function emptyTrash({ stage }: Scene): Promise<void> {
  const trash = join(stage.home, 'trash')
  await stage.run(['gc', '--keep', '99'])
  await eventually('the trash is empty', () => !existsSync(trash) || isEmpty(trash))
}

const isEmpty = (directory: string) => readdirSync(directory).length === 0

async function requireHealthy({ stage }: Scene): Promise<void> {
  const { code, stdout } = await stage.run(['doctor'])
  if (code !== 0) throw new Error(`doctor is not content: ${stdout}`)
}

const askDoctorToo: Insist = async (scene, words) => {
  await askDoctor(scene, words)
  await requireHealthy(scene)
  await untilDone(scene, words)
}

/** A task is handed off to a checkout with changes, and taken back; one of the two is killed. */
function handOffStory(about: string, killed: 'to' | 'undo', insist: Insist): Story {
  return {
    about,
    repository: 'dirty',
    steps: WORK + DONE,
    async tell(scene) {
      const id = await endedTask(scene)
      const off = ['handoff', id, '--to', 'local']
      if (killed === 'undo') await scene.ok(off)
      scene.strike.arm()
      if (killed === 'to') await insist(scene, off)
      requireFiles(scene, FINISHED)
      if (killed === 'to') await scene.ok(['handoff', id, '--undo'])
      else await insist(scene, ['handoff', id, '--undo'])
      return [id]
    },
    end: () => ({ ...succeeded(FINISHED)(), isRestored: true }),
  }
}

/** A task whose agent has a home for its worktree alone is handed off: its session comes along. */
async function tellOwnHome(scene: Scene): Promise<readonly string[]> {
  const { stage } = scene
  const users = join(stage.scratch, 'users-codex')
  mkdirSync(users)
  writeFileSync(join(users, 'AGENTS.md'), 'of the user\n')
  stage.environment.CODEX_HOME = users
  scene.strike.arm()
  const id = await endedTask(scene)
  const own = join(stage.home, 'agent-homes', id, 'codex')
  if (readFileSync(join(own, 'AGENTS.md'), 'utf8') !== 'of the user\n') throw new Error('no links')
  const sessions = (home: string) =>
    readdirSync(join(home, 'sessions/2026/01/02')).filter(name => name.endsWith('.jsonl'))
  if (existsSync(join(users, 'sessions'))) throw new Error('its session is in the user’s home')
  await untilDone(scene, ['handoff', id, '--to', 'local'])
  const kept = sessions(own)
  if (sessions(users).some(name => !kept.includes(name)) || sessions(users).length !== 1) {
    throw new Error(`work lost: of the sessions ${kept} there came ${sessions(users)}`)
  }
  requireFiles(scene, FINISHED)
  await scene.ok(['handoff', id, '--undo'])
  return [id]
}

/** What is done in the checkout goes back to the worktree, and is taken back; one of the two is killed. */
function handBackStory(about: string, killed: 'to' | 'undo', insist: Insist): Story {
  return {
    about,
    repository: 'dirty',
    steps: WORK + DONE,
    async tell(scene) {
      const { id, before } = await workLeft(scene)
      const { repo, home } = scene.stage
      await scene.ok(['handoff', id, '--to', 'local'])
      const [made, since] = [join(repo, 'made.txt'), join(repo, 'since.txt')]
      writeFileSync(made, 'made by the agent, and mended\n')
      writeFileSync(since, 'by the user\n')
      const back = ['handoff', id, '--to', 'worktree']
      if (killed === 'undo') await scene.ok(back)
      scene.strike.arm()
      if (killed === 'to') await insist(scene, back)
      const tree = join(home, 'worktrees', id)
      const came = ['made.txt', 'since.txt'].map(name => readFileSync(join(tree, name), 'utf8'))
      if (came.join('') !== 'made by the agent, and mended\nby the user\n') {
        throw new Error(`work lost: ${came}`)
      }
      const undo = ['handoff', id, '--undo']
      if (killed === 'to') await scene.ok(undo)
      else await insist(scene, undo)
      requireSame(scene, id, before)
      // The checkout as it was handed over, which can be taken back then.
      writeFileSync(made, FINISHED['made.txt'] ?? '')
      unlinkSync(since)
      if (existsSync(join(repo, 'made.txt')) && killed === 'to') await scene.ok(undo)
      else await scene.stage.run(undo)
      return [id]
    },
    end: () => ({ ...succeeded(FINISHED)(), isRestored: true }),
  }
}

const PRINTED = Buffer.alloc(50_000, 'what the agent printed\n')

/** What can be had again, and what was printed, goes from a task whose work nobody has taken. */
async function reclaim(
  scene: Scene,
  words: readonly string[],
  prepare: (id: string) => void,
): Promise<readonly string[]> {
  const { id } = await workLeft(scene)
  const { stage } = scene
  const late = join(stage.home, 'worktrees', id, 'late')
  appendFileSync(join(late, '.gitignore'), 'node_modules\n')
  const before = stateOf(scene, id)
  mkdirSync(join(late, 'node_modules', 'left-pad'), { recursive: true })
  writeFileSync(join(late, 'node_modules', 'left-pad', 'index.js'), PRINTED)
  appendFileSync(join(stage.taskDirectory(id), 'runs', '1', 'stdout'), PRINTED)
  const printed = (await stage.run(['logs', id, '--raw'])).stdout
  scene.strike.arm()
  prepare(id)
  await untilDone(scene, words)
  rmSync(join(late, 'node_modules'), { recursive: true, force: true })
  requireSame(scene, id, before)
  const { stdout, stderr } = await stage.run(['logs', id, '--raw'])
  if (stdout !== printed && !stderr.includes('was dropped')) {
    throw new Error(`work lost: of the raw output there is ${stdout.length} of ${printed.length}`)
  }
  await emptyTrash(scene)
  return [id]
}

/** Another tool's worktree, with work in it, is taken over. */
async function adoptOther(scene: Scene): Promise<readonly string[]> {
  const id = await endedTask(scene)
  const { stage } = scene
  const tree = join(stage.scratch, '.claude', 'worktrees', 'theirs')
  stage.git('worktree', 'add', '--quiet', '--detach', tree)
  writeFileSync(join(tree, 'own.txt'), 'of another tool\n')
  const status = () => stage.ground.git(tree, 'status', '--porcelain')
  const before = status()
  scene.strike.arm()
  await untilDone(scene, ['doctor', '--adopt', tree])
  if (status() !== before) throw new Error(`work lost: it is\n${status()}`)
  const locks = stage.git('worktree', 'list', '--porcelain').match(/^locked holdfast theirs-/gm)
  if (locks?.length !== 1) throw new Error('it does not bear our lock')
  return [id]
}

/** As if it had ended long ago. */
function makeAncient({ stage }: Scene, id: string): void {
  const store = new DatabaseSync(join(stage.home, 'store.db'), { timeout: 60_000 })
  store
    .prepare(
      "UPDATE tasks SET ended_at = 1, state_json = json_set(state_json, '$.endedAt', 1) WHERE id = ?",
    )
    .run(id)
  store.close()
}

/** Hands a task in, and sees it to its end. */
async function tellOne(scene: Scene, words = TASK): Promise<readonly string[]> {
  scene.strike.arm()
  const id = await scene.submit(words)
  if (id === undefined) return []
  await scene.untilEnded(id)
  return [id]
}

/** As if all submissions had been made an hour ago. */
function makeOld({ stage, taskDirectories }: Scene): void {
  const then = new Date(Date.now() - 3_600_000)
  for (const id of taskDirectories) {
    const directory = stage.taskDirectory(id)
    for (const path of [join(directory, 'repository'), directory]) {
      if (existsSync(path)) utimesSync(path, then, then)
    }
  }
}

/** A submission that came to nothing: it is long ago when the next worker looks. */
async function forgetAll(scene: Scene): Promise<readonly string[]> {
  await scene.strike.landed
  const { stage } = scene
  makeOld(scene)
  await stage.run(['worker', 'start'], '/')
  return []
}

/** Before the row there is no task that anybody knows of. */
async function tellUnannounced(scene: Scene, words = TASK): Promise<readonly string[]> {
  scene.strike.arm()
  const id = await scene.submit(words)
  if (id !== undefined) throw new Error('it was handed in')
  return await forgetAll(scene)
}

/** The files of the checkout are what the agent made of them. */
function requireFiles({ stage }: Scene, files: Files): void {
  for (const [name, content] of Object.entries(files)) {
    const path = join(stage.repo, name)
    const found = existsSync(path) ? readFileSync(path, 'latin1') : null
    if (found !== content) throw new Error(`work lost: ${name} holds ${JSON.stringify(found)}`)
  }
}

/** Its agent was told once, and the command came to an end twice. */
function requireMendedOnce({ stage }: Scene, id: string): void {
  const log = (readRows(stage.home)?.events ?? []).filter(({ task }) => task === id)
  const count = (kind: string, words: string) =>
    log.filter(one => one.kind === kind && one.text?.startsWith(words)).length
  const found = [
    count('message_sent', 'Your work was verified'),
    count('task_changed', 'not verified: '),
    count('task_changed', 'verified: '),
  ]
  if (found.join() !== '1,1,1') throw new Error(`told, failed, passed: ${found.join()}`)
}

/** The ids of a group of two. */
async function submittedGroup({ stage }: Scene): Promise<readonly string[]> {
  const { code, stdout, stderr } = await stage.run([...TASK, '--best-of', '2', '--json'])
  if (code !== 0) throw new Error(`run: ${stderr}`)
  return JSON.parse(stdout).tasks.map(({ id }: { id: string }) => id)
}

/** Whoever saw the command killed gives it again, and is told if all was done. */
async function untilGivenBack({ stage, strike }: Scene, id: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    const { code, signal, stderr } = await stage.run(['pick', '--undo', id])
    if (tries === 1) await strike.landed
    if (code === 0 || (tries > 1 && /is not picked/.test(stderr))) return
    if (signal === null || tries === 5) throw new Error(`pick --undo: ${stderr}`)
  }
}

/** What the agent did in the submodule is kept. */
function requireInside({ stage }: Scene, id: string): void {
  const file = join(stage.taskDirectory(id), 'repositories', '0', 'result.patch')
  const patch = existsSync(file) ? readFileSync(file, 'utf8') : ''
  if (!patch.includes('\n+by the agent\n')) throw new Error(`work lost: 13 bytes in lib: ${patch}`)
}

const SESSION = {
  CLAUDECODE: '1',
  CLAUDE_CODE_SESSION_ID: 'of-the-caller',
  CLAUDE_CODE_MESSAGING_SOCKET: '/nobody/listens/here',
  CLAUDE_CODE_MESSAGING_TOKEN: 'a secret',
}

/** A subscriber hears of it, perhaps more than once, and under the same id. */
async function tellSubscriber(scene: Scene): Promise<readonly string[]> {
  const { stage } = scene
  const file = join(stage.scratch, 'told')
  scene.strike.arm()
  const id = await scene.submitted([...TASK, '--notify', `file:${file}`])
  await scene.untilEnded(id)
  await worked(scene, 'all was sent', () => subscribersOwed(stage) === 0)
  const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []
  const ids = new Set(lines.map(line => JSON.parse(line).id))
  const heard = [...ids].sort().join(' ')
  if (heard !== `${id}.all_idle.0 ${id}.succeeded.0`) throw new Error(`it heard of: ${heard}`)
  return [id]
}

/** What is to be sent, or was given up. */
function subscribersOwed({ home }: Scene['stage']): number {
  const rows = readRows(home)?.deliveries ?? []
  return rows.filter(({ channel, state }) => channel !== 'inbox' && state === 'owed').length
}

/** Nothing is left of the token of a session to which nothing is owed. */
async function untilForgotten(scene: Scene): Promise<void> {
  const callers = join(scene.stage.home, 'callers')
  await worked(scene, 'its token is forgotten', () => !existsSync(callers) || isEmpty(callers))
}

/** Calls a hook of the plugin for Claude Code, as the session that asks; what it says. */
async function hear(
  { stage }: Scene,
  event: string,
  more: object,
  plugin = 'holdfast',
): Promise<string> {
  const said = { session_id: SESSION.CLAUDE_CODE_SESSION_ID, cwd: stage.repo, ...more }
  return (await stage.run(['hook', event, plugin], stage.repo, JSON.stringify(said))).stdout
}

/** Killed while it is kept, it is asked again; what is left of the first hands nothing in. */
async function tellRequest(scene: Scene): Promise<readonly string[]> {
  const command = { command_name: 'codex:rescue', command_args: '--background do it' }
  const ask = () => hear(scene, 'UserPromptExpansion', command, 'codex')
  scene.strike.arm()
  if ((await ask()) !== '') throw new Error('it was not killed')
  const request = / rescue --request ([0-9a-f]{24})/.exec(await ask())?.[1] ?? ''
  await scene.ok(['rescue', '--request', request])
  const [task, ...more] = readTasks(scene.stage.home)
  if (task === undefined || more.length > 0) throw new Error('it is not one task')
  await scene.untilEnded(task.id)
  return [task.id]
}

/** Killed right before it is shown: the inbox still has it. */
async function tellShown(scene: Scene): Promise<readonly string[]> {
  const id = await endedTask(scene)
  scene.strike.arm()
  if ((await hear(scene, 'UserPromptSubmit', { prompt: 'hello' })) !== '') {
    throw new Error('it was not killed')
  }
  const { stdout } = await scene.stage.run(['inbox'])
  if (!stdout.includes(id)) throw new Error(`the inbox does not find ${id}`)
  return [id]
}

/** Killed while a review is switched on, or a turn begins: said again, both are so. */
async function tellTurn(scene: Scene): Promise<readonly string[]> {
  const { stage } = scene
  const file = join(stage.home, 'config.json')
  mkdirSync(stage.home, { mode: 0o700, recursive: true })
  writeFileSync(file, '{"slots": 1}')
  const read = () => JSON.parse(readFileSync(file, 'utf8'))
  const wanted = JSON.stringify({ slots: 1, stopReview: [stage.repo] })
  scene.strike.arm()
  await stage.run(['setup', '--enable-review-gate', '--json'])
  if (![JSON.stringify({ slots: 1 }), wanted].includes(JSON.stringify(read()))) {
    throw new Error(`half of the settings are there: ${JSON.stringify(read())}`)
  }
  await scene.ok(['setup', '--enable-review-gate', '--json'])
  if (JSON.stringify(read()) !== wanted) throw new Error(`it is not on: ${JSON.stringify(read())}`)
  for (const event of ['UserPromptSubmit', 'UserPromptSubmit', 'Stop']) {
    const said = await hear(scene, event, { prompt: 'hello' })
    if (said !== '') throw new Error(`${event} said ${said}`)
  }
  const turns = readdirSync(join(stage.home, 'plugin', 'turns'))
  const [turn = ''] = turns
  const kept = JSON.parse(readFileSync(join(stage.home, 'plugin', 'turns', turn), 'utf8'))
  if (turns.length !== 1 || kept.isOpen !== false) throw new Error(`the turn is ${turns}`)
  return []
}

/** Killed while it is made, it is made anew; nobody was told of the first. */
async function tellLone(scene: Scene): Promise<readonly string[]> {
  const { stage } = scene
  const id = await endedTask(scene)
  const ask = (event: string, more: object) => hear(scene, event, more, 'holdfast-worktrees')
  scene.strike.arm()
  if ((await ask('WorktreeCreate', { name: 'one' })) !== '') throw new Error('it was not killed')
  const path = (await ask('WorktreeCreate', { name: 'one' })).trim()
  const kept = join(path, 'kept.txt')
  if (path === '' || !existsSync(kept)) throw new Error(`there is no worktree at "${path}"`)
  if (!isEmpty(join(stage.home, 'adding'))) throw new Error('what came along is kept')
  return [id]
}

/** Killed while it is given back, or brought back: asked for again, it is there with all that was in it. */
async function tellLoneBack(scene: Scene): Promise<readonly string[]> {
  const { stage } = scene
  const id = await endedTask(scene)
  const ask = async (event: string, more: object) =>
    (await hear(scene, event, more, 'holdfast-worktrees')).trim()
  const create = () => ask('WorktreeCreate', { name: 'one' })
  const path = await create()
  writeFileSync(join(path, 'work.txt'), 'unsaved\n')
  scene.strike.arm()
  await ask('WorktreeRemove', { worktree_path: path })
  const back = (await create()) || (await create())
  await scene.strike.landed
  if (back !== path || readFileSync(join(path, 'work.txt'), 'utf8') !== 'unsaved\n') {
    throw new Error(`work lost: 8 bytes: there is a worktree at "${back}"`)
  }
  const holders = readdirSync(join(stage.home, 'holders'))
  if (holders.length !== 1) throw new Error(`it is held by ${holders.length}`)
  await emptyTrash(scene)
  return [id]
}

const keeperStories = {
  'a worktree alone': {
    about: 'a worktree that Claude Code asks for, beside those of tasks',
    repository: 'clean',
    environment: { ...SESSION, CLAUDE_PID: String(process.pid) },
    steps: WORK + DONE,
    tell: tellLone,
    end: () => ({ state: 'succeeded', files: FINISHED, worktrees: 2 }),
  },
  'a worktree alone given back': {
    about: 'such a worktree that is given back, and asked for again',
    repository: 'clean',
    environment: { ...SESSION, CLAUDE_PID: String(process.pid) },
    steps: WORK + DONE,
    tell: tellLoneBack,
    end: () => ({ state: 'succeeded', files: FINISHED, worktrees: 2 }),
  },
  'a turn by a plugin': {
    about: 'a session of Claude Code that stops only after a review',
    repository: 'clean',
    steps: WORK + DONE,
    tell: tellTurn,
    end: () => 'nothing',
  },
  'asked by a plugin': {
    about: 'a task that is asked by a command of the plugin for Claude Code',
    repository: 'clean',
    steps: WORK + DONE,
    tell: tellRequest,
    end: succeeded(FINISHED),
  },
  'shown by a plugin': {
    about: 'a task whose end a session of Claude Code is about to be shown',
    repository: 'clean',
    steps: WORK + DONE,
    tell: tellShown,
    end: succeeded(FINISHED),
  },
  told: {
    about: 'a task of which a subscriber is told',
    repository: 'clean',
    steps: WORK + DONE,
    tell: tellSubscriber,
    end: succeeded(FINISHED),
  },
  'unannounced by a session': {
    about: 'a task that a session of Claude Code hands in, killed meanwhile',
    repository: 'clean',
    environment: SESSION,
    steps: WORK + DONE,
    async tell(scene) {
      await tellUnannounced(scene)
      await untilForgotten(scene)
      return []
    },
    end: () => 'nothing',
  },
  'told by a session': {
    about: 'a task of which a session of Claude Code is to be told that has ended',
    repository: 'clean',
    environment: SESSION,
    steps: WORK + DONE,
    async tell(scene) {
      const tasks = await tellOne(scene)
      await untilForgotten(scene)
      return tasks
    },
    end: succeeded(FINISHED),
  },
  plain: {
    about: 'a task that does its work and succeeds',
    repository: 'clean',
    steps: WORK + DONE,
    tell: tellOne,
    end: succeeded(FINISHED),
  },
  'own home': {
    about: 'a task whose agent has a home for its worktree alone, and that is handed off',
    repository: 'dirty',
    environment: { HOLDFAST_CODEX_HOME: 'worktree' },
    steps: WORK + DONE,
    tell: tellOwnHome,
    end: () => ({ ...succeeded(FINISHED)(), isRestored: true }),
  },
  unannounced: {
    about: 'a task that is killed while it is handed in',
    repository: 'clean',
    steps: WORK + DONE,
    tell: tellUnannounced,
    end: () => 'nothing',
  },
  'unannounced with changes': {
    about: 'the same, from a checkout with uncommitted changes',
    repository: 'dirty',
    steps: WORK + DONE,
    tell: tellUnannounced,
    end: () => 'nothing',
  },
  'unannounced review': {
    about: 'a review of uncommitted changes that is killed while it is handed in',
    repository: 'dirty',
    steps: REVIEW + DONE,
    tell: scene => tellUnannounced(scene, REVIEW_TASK),
    end: () => 'nothing',
  },
  review: {
    about: 'a review of uncommitted changes',
    repository: 'dirty',
    steps: REVIEW + DONE,
    async tell(scene) {
      const ids = await tellOne(scene, REVIEW_TASK)
      for (const id of ids) {
        const { stdout } = await scene.stage.run(['result', id, '--json'], '/')
        const summary = JSON.parse(stdout).review?.summary
        if (summary !== 'It is well.') throw new Error(`the review says ${summary}`)
      }
      return ids
    },
    end: succeeded({}),
  },
  'unannounced with a submodule': {
    about: 'the same, from a checkout with changes in a submodule',
    repository: 'submodule',
    steps: WORK + DONE,
    tell: tellUnannounced,
    end: () => 'nothing',
  },
  refused: {
    about: 'a task that is refused because its changes are too large',
    repository: 'dirty',
    steps: WORK + DONE,
    async tell(scene) {
      mkdirSync(scene.stage.home, { mode: 0o700 })
      const bounds = { capture: { maxBytes: 10 } }
      writeFileSync(join(scene.stage.home, 'config.json'), JSON.stringify(bounds))
      return await tellUnannounced(scene)
    },
    end: () => 'nothing',
  },
  leftover: {
    about: 'the next worker clears a killed submission away',
    repository: 'dirty',
    steps: WORK + DONE,
    async tell(scene) {
      const { stage } = scene
      stage.arm('submission.base-captured', 'kill')
      if ((await scene.submit(TASK)) !== undefined) throw new Error('it was handed in')
      scene.strike.arm()
      makeOld(scene)
      await stage.run(['worker', 'start'], '/')
      return []
    },
    end: () => 'nothing',
  },
  late: {
    about: 'the same task, struck after its first half',
    repository: 'clean',
    gate: 'agent.turn-ended',
    steps: WORK + DONE,
    async tell(scene) {
      scene.stage.arm('agent.mid-tool', 'stand')
      const id = await scene.submitted(TASK)
      await scene.untilReached('agent.mid-tool')
      scene.strike.arm()
      scene.stage.letGo('agent.mid-tool')
      await scene.untilEnded(id)
      return [id]
    },
    end: succeeded(FINISHED),
  },
  submodule: {
    about: 'a task that works in a submodule too, which is kept apart',
    repository: 'submodule',
    steps: `${WORK}once inside 'cat lib/untracked.txt >seen.txt
  printf "by the agent\\n" >>lib/kept.txt'
${DONE}`,
    async tell(scene) {
      const ids = await tellOne(scene)
      for (const id of ids) requireInside(scene, id)
      return ids
    },
    end: succeeded({ ...FINISHED, 'seen.txt': 'of the caller\n' }),
  },
  changes: {
    about: 'a task that starts from staged, unstaged, untracked and hidden changes',
    repository: 'dirty',
    steps: `${WORK}once seen 'cat "untracked ü.txt" staged.txt hidden.txt >seen.txt
  git diff --cached --name-status >index.txt'
${DONE}`,
    tell: tellOne,
    end: succeeded({
      ...FINISHED,
      'seen.txt': 'of the caller, untracked\nstaged, then edited\nedited behind a flag\n',
      'index.txt': 'A\tstaged.txt\n',
    }),
  },
  'set-up': {
    about: 'a task whose worktree is readied by an included file and a trusted command',
    repository: 'ready',
    steps: `${WORK}once seen 'cat ignored.env prepared.txt built/deep/output >seen.txt'
${DONE}`,
    async tell(scene) {
      await scene.stage.run(['trust', '--yes'])
      return await tellOne(scene)
    },
    end: succeeded({ ...FINISHED, 'seen.txt': 'of no worth\nprepared from of no worthbuilt\n' }),
  },
  included: {
    about: 'such a task in a repository whose command is not trusted: it does not run',
    repository: 'ready',
    steps: `${WORK}once seen 'cat ignored.env >seen.txt'
${DONE}`,
    tell: tellOne,
    end: succeeded({ ...FINISHED, 'seen.txt': 'of no worth\n' }),
  },
  'unannounced with set-up': {
    about: 'such a task that is killed while it is handed in',
    repository: 'ready',
    steps: WORK + DONE,
    async tell(scene) {
      await scene.stage.run(['trust', '--yes'])
      return await tellUnannounced(scene)
    },
    end: () => 'nothing',
  },
  nothing: {
    about: 'a task that changes nothing',
    repository: 'clean',
    steps: DONE,
    tell: tellOne,
    end: succeeded({}),
  },
  resume: {
    about: 'a task whose agent was killed before, and is resumed',
    repository: 'clean',
    steps: WORK + DONE,
    async tell(scene) {
      scene.stage.arm('agent.mid-model', 'stand')
      const id = await scene.submitted(TASK)
      await scene.untilReached('agent.mid-model')
      await scene.untilSessionIsKnown(id)
      scene.strike.arm()
      await scene.kill(['agent'], id)
      await scene.untilEnded(id)
      return [id]
    },
    end: succeeded(FINISHED),
  },
  'kept aside': {
    about: 'a task whose files are kept aside while it runs, which is killed',
    repository: 'dirty',
    environment: SNAPSHOTS,
    steps: WORK + DONE,
    async tell(scene) {
      scene.stage.arm('agent.mid-tool', 'stand')
      scene.strike.arm()
      const id = await scene.submitted(TASK)
      await scene.strike.landed
      scene.stage.letGo('agent.mid-tool')
      await scene.untilEnded(id)
      return [id]
    },
    end: succeeded(FINISHED),
  },
  lost: {
    about: 'a task that starts from files that were kept aside, its worktree having been deleted',
    repository: 'dirty',
    environment: SNAPSHOTS,
    steps: WORK + DONE,
    async tell(scene) {
      const { stage } = scene
      stage.arm('agent.mid-tool', 'stand')
      const first = await scene.submitted(TASK)
      await scene.untilReached('agent.mid-tool')
      await scene.untilKeptAside(first, 'tool.txt')
      rmSync(join(stage.home, 'worktrees', first), { recursive: true })
      await scene.untilEnded(first)
      scene.strike.arm()
      let second = await scene.submit(['retry', first])
      if (second === undefined) {
        await scene.strike.landed
        makeOld(scene)
        // The next one clears away what the killed command has left.
        await scene.ok(['worker', 'stop'])
        second = await scene.submitted(['retry', first])
      }
      await scene.untilEnded(second)
      return [second]
    },
    end: () => ({ ...succeeded(FINISHED)(), besides: 1 }),
  },
  'told more': {
    about: 'a task that is told more while its agent is at work',
    repository: 'clean',
    steps: HEARS + WORK + DONE,
    async tell(scene) {
      const { stage } = scene
      stage.arm('agent.mid-model', 'stand')
      const id = await scene.submitted(TASK)
      await scene.untilReached('agent.mid-model')
      scene.strike.arm()
      const words = ['send', id, MORE, '--idempotency-key', 'one']
      // Whoever sees their command killed gives it again.
      if ((await stage.run(words, '/')).code !== 0) await scene.ok(words)
      stage.letGo('agent.mid-model')
      await scene.untilEnded(id)
      scene.complaints.push(...heardWrong(scene))
      return [id]
    },
    end: succeeded(FINISHED),
  },
  followed: {
    about: 'a task that goes on from one that has ended, because somebody has more to say',
    repository: 'clean',
    steps: HEARS + WORK + DONE,
    async tell(scene) {
      const { stage } = scene
      const first = await scene.submitted(TASK)
      await scene.untilEnded(first)
      scene.strike.arm()
      const words = ['send', first, MORE, '--idempotency-key', 'one']
      let second = await scene.submit(words)
      if (second === undefined) {
        await scene.strike.landed
        makeOld(scene)
        await stage.run(['worker', 'stop'])
        second = await scene.submitted(words)
      } else await scene.ok(words)
      await scene.untilEnded(second)
      scene.complaints.push(...heardWrong(scene))
      return [second]
    },
    end: () => ({ ...succeeded(FINISHED)(), worktrees: 0, besides: 1 }),
  },
  cancel: {
    about: 'a task that is cancelled while its agent waits for a tool',
    repository: 'clean',
    steps: WORK + DONE,
    async tell(scene) {
      scene.stage.arm('agent.mid-tool', 'stand')
      const id = await scene.submitted(TASK)
      await scene.untilReached('agent.mid-tool')
      scene.strike.arm()
      const { signal } = await scene.stage.run(['cancel', id], '/')
      // Whoever sees their command killed gives it again, unless it has worked.
      if (signal !== null && !scene.isCancelled(id)) await scene.stage.run(['cancel', id], '/')
      await scene.untilEnded(id)
      return [id]
    },
    end: () => ({ state: 'cancelled', files: UNFINISHED, worktrees: 1 }),
  },
  'cancel after': {
    about: 'a task that is cancelled right after the blow',
    repository: 'clean',
    steps: WORK + DONE,
    async tell(scene) {
      scene.onBlow = id => scene.stage.run(['cancel', id], '/')
      scene.strike.hold()
      scene.strike.arm()
      const id = await scene.submitted(TASK)
      await scene.strike.reached
      // A next try that begins before the command has come to ask gets no further.
      scene.stage.arm('agent.begun', 'stand')
      scene.strike.fall()
      await scene.untilEnded(id)
      return [id]
    },
    end: () => ({ state: 'cancelled', files: UNFINISHED, worktrees: 1 }),
  },
  'cancel with its caller': {
    about: 'a task that ends with its caller, which is killed',
    repository: 'clean',
    steps: WORK + DONE,
    async tell(scene) {
      scene.stage.arm('agent.mid-tool', 'stand')
      const { ground, repo, environment } = scene.stage
      const run = [process.execPath, ground.entry, ...TASK, '--with-caller']
      const caller = spawn('/bin/sh', ['-c', '"$@" && exec sleep 1000', 'caller', ...run], {
        cwd: repo,
        env: environment,
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const [id] = await once(caller.stdout.setEncoding('utf8'), 'data')
      await scene.untilReached('agent.mid-tool')
      scene.strike.arm()
      caller.kill('SIGKILL')
      await scene.untilEnded(id.trim())
      return [id.trim()]
    },
    end: () => ({ state: 'cancelled', files: UNFINISHED, worktrees: 1 }),
  },
  'cancel in the queue': {
    about: 'a task that is cancelled before it has started',
    repository: 'clean',
    steps: WORK + DONE,
    async tell(scene) {
      scene.stage.arm('worker.post-taken', 'stand')
      const id = await scene.submitted(TASK)
      await scene.untilReached('worker.post-taken')
      scene.strike.arm()
      const { signal } = await scene.stage.run(['cancel', id], '/')
      if (signal !== null && !scene.isCancelled(id)) await scene.stage.run(['cancel', id], '/')
      scene.stage.letGo('worker.post-taken')
      await scene.untilEnded(id)
      return [id]
    },
    end: () => ({ state: 'cancelled', files: null, worktrees: 0 }),
  },
  failure: {
    about: 'a task whose agent says that it has failed',
    repository: 'clean',
    steps: WORK + FAILED,
    tell: tellOne,
    end: () => ({ state: 'failed', code: ['model_error'], files: FINISHED, worktrees: 1 }),
  },
  parked: {
    about: 'a task whose account is used up, and that goes on after the reset',
    repository: 'clean',
    steps: WORK + LIMITED + DONE,
    tell: tellOne,
    end: succeeded(FINISHED),
  },
  program: {
    about: 'a program, which is not run again after a crash',
    repository: 'clean',
    steps: '',
    tell: scene => {
      const tool = fileURLToPath(new URL('programs/tool.sh', import.meta.url))
      return tellOne(scene, ['run', 'command', '--permissions', 'full', '--', tool])
    },
    end: struck => {
      const wrapper = struck.includes('wrapper') ? ['exit_unknown'] : []
      // A wrapper that is killed a moment after its agent may have seen that.
      const agent = struck.includes('agent') ? ['agent_crashed'] : []
      const code = [...wrapper, ...agent]
      const text = struck.includes('agent') ? UNFINISHED['tool.txt'] : FINISHED['tool.txt']
      const files = { 'tool.txt': text ?? null }
      return code.length === 0
        ? { state: 'succeeded', files, worktrees: 1 }
        : { state: 'failed', code, files, worktrees: 1 }
    },
  },
  questions: {
    about: 'a task whose agent is talked to while it works: it asks twice, and is answered',
    repository: 'clean',
    steps: '',
    async tell(scene) {
      const { stage } = scene
      const bin = join(stage.scratch, 'bin')
      mkdirSync(bin)
      symlinkSync(ASKING_AGENT, join(bin, 'gemini'))
      stage.environment.PATH = `${bin}:${stage.environment.PATH}`
      scene.strike.arm()
      const words = 'do this: [ask, write made.txt, ask again]'
      const id = await scene.submit(['run', 'gemini', words, '--ask', '--permissions', 'full'])
      if (id === undefined) return []
      const answering = new AbortController()
      await Promise.all([
        scene.untilEnded(id).finally(() => answering.abort()),
        answerAll(scene, id, answering.signal),
      ])
      return [id]
    },
    end: succeeded({ 'made.txt': 'by the agent\n' }),
  },
  'no agent': {
    about: 'a task whose agent is gone when it is to start: its worktree is retired',
    repository: 'clean',
    steps: '',
    async tell(scene) {
      const { stage } = scene
      const bin = join(stage.scratch, 'bin')
      mkdirSync(bin)
      const program = fileURLToPath(new URL('programs/codex', import.meta.url))
      symlinkSync(program, join(bin, 'codex'))
      stage.environment.PATH = `${bin}:${stage.environment.PATH?.slice(stage.environment.PATH.indexOf(':') + 1)}`
      stage.arm('claim.committed', 'stand')
      const id = await scene.submitted(TASK)
      await scene.untilReached('claim.committed')
      unlinkSync(join(bin, 'codex'))
      scene.strike.arm()
      stage.letGo('claim.committed')
      await scene.untilEnded(id)
      return [id]
    },
    end: () => ({ state: 'failed', code: ['agent_missing'], files: null, worktrees: 0 }),
  },
  'no worktree': {
    about: 'a task whose files git cannot write: its worktree is taken back',
    repository: 'filtered',
    steps: '',
    tell: tellOne,
    end: () => ({ state: 'failed', code: ['worktree_failed'], files: null, worktrees: 0 }),
  },
  'worktree anew': {
    about: 'a worker that was killed while it made a worktree: the next one makes it anew',
    repository: 'clean',
    steps: WORK + DONE,
    async tell(scene) {
      scene.stage.arm('worktree.filled', 'stand')
      const id = await scene.submitted(TASK)
      const worker = await scene.untilReached('worktree.filled')
      scene.strike.arm()
      process.kill(worker, 'SIGKILL')
      await scene.untilEnded(id)
      return [id]
    },
    end: succeeded(FINISHED),
  },
  unlaunched: {
    about: 'a launch that fails, and is done again',
    repository: 'clean',
    steps: WORK + DONE,
    async tell(scene) {
      scene.stage.arm('wrapper.detaching', 'stand')
      const id = await scene.submitted(TASK)
      const detaching = await scene.untilReached('wrapper.detaching')
      scene.strike.arm()
      process.kill(detaching, 'SIGKILL')
      await scene.untilEnded(id)
      return [id]
    },
    end: succeeded(FINISHED),
  },
  'two in a row': {
    about: 'a second task, handed in while the worker of the first one leaves',
    repository: 'clean',
    steps: WORK + DONE,
    environment: { HOLDFAST_WORKER_IDLE: '300ms' },
    async tell(scene) {
      scene.strike.hold()
      scene.strike.arm()
      const first = await scene.submitted(TASK)
      await scene.untilEnded(first)
      await scene.strike.reached
      const second = await scene.submitted(TASK)
      scene.strike.fall()
      await scene.untilEnded(second)
      return [first, second]
    },
    end: succeeded(FINISHED),
  },
  apply: {
    about: 'a result that is applied to a checkout with changes, and taken back',
    repository: 'dirty',
    steps: WORK + DONE,
    async tell(scene) {
      const id = await endedTask(scene)
      scene.strike.arm()
      await scene.stage.run(['apply', id])
      await scene.strike.landed
      // Whoever saw the command killed gives it again; it says so where nothing was left to do.
      await scene.stage.run(['apply', id])
      requireFiles(scene, FINISHED)
      await scene.ok(['apply', id, '--undo'])
      return [id]
    },
    end: () => ({ ...succeeded(FINISHED)(), isRestored: true }),
  },
  undo: {
    about: 'a taking back that is killed',
    repository: 'dirty',
    steps: WORK + DONE,
    async tell(scene) {
      const id = await endedTask(scene)
      await scene.ok(['apply', id])
      requireFiles(scene, FINISHED)
      scene.strike.arm()
      await scene.stage.run(['apply', id, '--undo'])
      await scene.strike.landed
      await scene.stage.run(['apply', id, '--undo'])
      return [id]
    },
    end: () => ({ ...succeeded(FINISHED)(), isRestored: true }),
  },
  branch: {
    about: 'a result that becomes a branch',
    repository: 'clean',
    steps: WORK + DONE,
    async tell(scene) {
      const id = await endedTask(scene)
      scene.strike.arm()
      await untilDone(scene, ['branch', id, 'by/the-agent'])
      const made = scene.stage.git('show', 'by/the-agent:made.txt')
      if (made !== FINISHED['made.txt']) throw new Error(`work lost: the branch has ${made}`)
      scene.stage.git('branch', '--quiet', '-D', 'by/the-agent')
      return [id]
    },
    end: succeeded(FINISHED),
  },
  picked: {
    about: 'a result that is picked onto what was committed meanwhile, beside changes of all kinds',
    repository: 'dirty',
    steps: WORK + DONE,
    async tell(scene) {
      const id = await endedTask(scene)
      const { stage } = scene
      const git = (...words: string[]) => stage.git(...words)
      const gitDir = join(stage.repo, '.git')
      const index = join(gitDir, 'index')
      const [before, start] = [readFileSync(index), git('rev-parse', 'HEAD').trim()]
      git('commit', '--quiet', '--message=of the caller', '--', 'kept.txt')
      const from = git('rev-parse', 'HEAD').trim()
      const staged = git('diff', '--cached')
      scene.strike.arm()
      await untilDone(scene, ['pick', id])
      requireFiles(scene, FINISHED)
      const [changed, parent] = [
        git('diff', 'HEAD', '--name-only'),
        git('rev-parse', 'HEAD^').trim(),
      ]
      const isOne = parent === from && changed === 'staged.txt\n'
      if (!isOne || git('diff', '--cached') !== staged) {
        throw new Error(`half picked, onto ${parent}: ${changed}${git('status', '--porcelain')}`)
      }
      const left = readdirSync(gitDir).filter(name => /lock$|holdfast/.test(name))
      if (left.length > 0) throw new Error(`left in the git directory: ${left}`)
      git('read-tree', '-m', '-u', 'HEAD', from)
      git('update-ref', 'HEAD', start)
      writeFileSync(index, before)
      return [id]
    },
    end: () => ({ ...succeeded(FINISHED)(), isRestored: true }),
  },
  'pick taken back': {
    about: 'a pick that is taken back, beside changes of all kinds',
    repository: 'dirty',
    steps: WORK + DONE,
    async tell(scene) {
      const id = await endedTask(scene)
      const { stage } = scene
      const git = (...words: string[]) => stage.git(...words)
      const index = join(stage.repo, '.git', 'index')
      const [bytes, start] = [readFileSync(index), git('rev-parse', 'HEAD').trim()]
      git('commit', '--quiet', '--message=of the caller', '--', 'kept.txt')
      const facts = () => [git('rev-parse', 'HEAD'), git('ls-files', '-s'), git('status', '-s')]
      const before = facts().join('')
      await scene.ok(['pick', id])
      scene.strike.arm()
      await untilGivenBack(scene, id)
      if (facts().join('') !== before) throw new Error(`half given back: ${facts().join('')}`)
      git('update-ref', 'HEAD', start)
      writeFileSync(index, bytes)
      return [id]
    },
    end: () => ({ ...succeeded(FINISHED)(), isRestored: true }),
  },
  'picked of a group': {
    about: 'a group of which one is picked; the other is put away, and brought back',
    repository: 'dirty',
    steps: WORK + DONE,
    async tell(scene) {
      const { stage } = scene
      const [first = '', second = ''] = await submittedGroup(scene)
      for (const id of [first, second]) await scene.untilEnded(id)
      const before = stateOf(scene, second)
      const index = join(stage.repo, '.git', 'index')
      const [bytes, start] = [readFileSync(index), stage.git('rev-parse', 'HEAD').trim()]
      stage.git('commit', '--quiet', '--message=of the caller', '--', 'kept.txt')
      scene.strike.arm()
      await untilDone(scene, ['pick', first])
      requireFiles(scene, FINISHED)
      const listed = JSON.parse((await stage.run(['status', '--json'])).stdout).tasks
      if (listed.length !== 1) throw new Error(`${listed.length} tasks are listed`)
      const other = JSON.parse((await stage.run(['status', second, '--json'])).stdout)
      if (other.picked !== false || other.putAway === null) throw new Error('it is not put away')
      await scene.ok(['restore', second])
      requireSame(scene, second, before)
      await scene.ok(['pick', '--undo', first])
      stage.git('update-ref', 'HEAD', start)
      writeFileSync(index, bytes)
      await emptyTrash(scene)
      return [first, second]
    },
    end: () => ({ ...succeeded(FINISHED)(), isRestored: true }),
  },
  group: {
    about: 'a group of two that is handed in: both of them, or none',
    repository: 'dirty',
    steps: WORK + DONE,
    async tell(scene) {
      const before = await scene.submitted(TASK)
      await scene.untilEnded(before)
      scene.strike.arm()
      await scene.stage.run([...TASK, '--best-of', '2', '--name', 'race'])
      const members = readTasks(scene.stage.home).slice(1)
      if (members.length !== 0 && members.length !== 2) {
        throw new Error(`${members.length} of 2 were handed in`)
      }
      if (members.length === 0) await forgetAll(scene)
      for (const { id } of members) {
        await scene.untilEnded(id)
        const { group } = JSON.parse((await scene.stage.run(['status', id, '--json'])).stdout)
        if (!group?.startsWith('race:')) throw new Error(`its group is ${group}`)
      }
      return [before, ...members.map(({ id }) => id)]
    },
    end: succeeded(FINISHED),
  },
  verified: {
    about: 'work that is verified, fails, and is mended in one more turn',
    repository: 'clean',
    steps: WORK + MENDED_WHEN_TOLD + DONE,
    async tell(scene) {
      scene.stage.arm('agent.mid-tool', 'stand')
      const id = await scene.submitted(VERIFIED)
      await scene.untilReached('agent.mid-tool')
      // From here on a launch is that of the command.
      scene.strike.arm()
      scene.stage.letGo('agent.mid-tool')
      await scene.untilEnded(id)
      requireMendedOnce(scene, id)
      return [id]
    },
    end: succeeded(MENDED),
  },
  'verification killed': {
    about: 'the same, where the command is killed the first time: it is run again',
    repository: 'clean',
    steps: WORK + MENDED_WHEN_TOLD + DONE,
    async tell(scene) {
      scene.strike.arm()
      const die = '[ -e "$KEEPER/died" ] || { : >"$KEEPER/died"; kill -9 $PPID $$; }'
      const words = ['sh', '-c', `${die}; test -e mended.txt`]
      const id = await scene.submitted([...VERIFIED.slice(0, -1), JSON.stringify(words)])
      await scene.untilEnded(id)
      requireMendedOnce(scene, id)
      return [id]
    },
    end: succeeded(MENDED),
  },
  'verified by one that writes': {
    about: 'work that is verified by a command that writes beside it',
    repository: 'clean',
    steps: WORK + DONE,
    async tell(scene) {
      scene.stage.arm('agent.mid-tool', 'stand')
      const words = ['sh', '-c', 'echo more >>made.txt; echo new >of-the-command.txt']
      const id = await scene.submitted([...VERIFIED.slice(0, -1), JSON.stringify(words)])
      await scene.untilReached('agent.mid-tool')
      scene.strike.arm()
      scene.stage.letGo('agent.mid-tool')
      await scene.untilEnded(id)
      return [id]
    },
    end: succeeded(FINISHED),
  },
  'handed off': handOffStory('a task that is handed off, and taken back', 'to', untilDone),
  'handed off by doctor': handOffStory(
    'the same, where somebody asks the doctor first',
    'to',
    askDoctorToo,
  ),
  'hand-off taken back': handOffStory('a hand-off, while it is taken back', 'undo', untilDone),
  'handed back': handBackStory('what was done since, on its way to the worktree', 'to', untilDone),
  'handed back by doctor': handBackStory(
    'the same, where somebody asks the doctor first',
    'to',
    askDoctorToo,
  ),
  'hand-back taken back': handBackStory('a hand-back, while it is taken back', 'undo', untilDone),
  'put away': putAwayStory('a worktree that is put away, and brought back', 'archive', untilDone),
  'put away with a submodule': putAwayStory(
    'the same, with a commit and changes in a submodule',
    'archive',
    untilDone,
    'submodule',
  ),
  'brought back with a submodule': putAwayStory(
    'the same worktree, while it is brought back',
    'restore',
    untilDone,
    'submodule',
  ),
  'trash emptied': {
    about: 'a tree that was put away, while it is unlinked',
    repository: 'dirty',
    steps: WORK + DONE,
    async tell(scene) {
      const { id, before } = await workLeft(scene)
      // First: a worker may be quicker than the command.
      scene.strike.arm()
      await scene.ok(['archive', id])
      await untilDone(scene, ['gc', '--keep', '99'])
      await emptyTrash(scene)
      await scene.ok(['restore', id])
      requireSame(scene, id, before)
      return [id]
    },
    end: succeeded(FINISHED),
  },
  spare: {
    about: 'worktrees that are made in advance, taken over, and given back',
    repository: 'large',
    steps: WORK + DONE,
    async tell(scene) {
      const { home } = scene.stage
      scene.strike.arm()
      const ids: string[] = []
      for (let n = 0; n < 2; n++) ids.push(await endedTask(scene))
      await worked(scene, 'two are made', () => countSpares(home).ready === 2)
      ids.push(await endedTask(scene))
      writeFileSync(join(home, 'config.json'), '{ "spareWorktrees": 0 }')
      await worked(scene, 'none is left', () => countSpares(home).all === 0)
      if (!isEmpty(join(home, 'pool'))) throw new Error('a worktree made in advance is left')
      return ids
    },
    end: succeeded(FINISHED),
  },
  'spare with build output': {
    about:
      'such a one with build output of a worktree that was put away, for a task that may not run it',
    repository: 'large',
    steps: WORK + DONE,
    async tell(scene) {
      const { home, repo } = scene.stage
      const info = resolve(repo, scene.stage.git('rev-parse', '--git-path', 'info').trim())
      mkdirSync(info, { recursive: true })
      appendFileSync(join(info, 'exclude'), 'node_modules\n')
      const ids: string[] = []
      for (let n = 0; n < 2; n++) ids.push(await endedTask(scene))
      const [first = ''] = ids
      writeFileSync(join(home, 'config.json'), '{ "spareBuildOutput": true }')
      await worked(scene, 'two are made', () => countSpares(home).ready === 2)
      const before = stateOf(scene, first)
      const output = join(home, 'worktrees', first, 'node_modules')
      mkdirSync(output)
      writeFileSync(join(output, 'index.js'), 'made anew\n')
      scene.strike.arm()
      await scene.ok(['archive', first])
      const trash = join(home, 'trash')
      await worked(scene, 'it was seen to', () =>
        readdirSync(trash).every(name => !existsSync(join(trash, name, 'node_modules'))),
      )
      const third = await scene.submitted([...TASK, '--permissions', 'full'])
      await scene.untilEnded(third)
      if (existsSync(join(home, 'worktrees', third, 'node_modules'))) throw new Error('it has it')
      ids.push(third)
      writeFileSync(join(home, 'config.json'), '{ "spareWorktrees": 0 }')
      await worked(scene, 'none is left', () => countSpares(home).all === 0)
      if (!isEmpty(join(home, 'pool'))) throw new Error('a worktree made in advance is left')
      await scene.ok(['restore', first])
      requireSame(scene, first, before)
      await emptyTrash(scene)
      return ids
    },
    end: succeeded(FINISHED),
  },
  'put away by doctor': putAwayStory(
    'the same, where nobody gives the command again, and somebody asks the doctor',
    'archive',
    askDoctor,
  ),
  'cleaned up': putAwayStory(
    'a worktree that is put away after a clean-up that deletes what is nowhere else',
    'archive',
    untilDone,
    'ready',
  ),
  'cleaned up by doctor': putAwayStory(
    'the same, where nobody gives the command again, and somebody asks the doctor',
    'archive',
    askDoctor,
    'ready',
  ),
  'brought back': putAwayStory(
    'a worktree that was put away, while it is brought back',
    'restore',
    untilDone,
  ),
  'brought back by doctor': putAwayStory(
    'the same, where somebody asks the doctor',
    'restore',
    askDoctor,
  ),
  reclaim: {
    about: 'build output and raw output, where the disk is needed',
    repository: 'dirty',
    steps: WORK + DONE,
    tell: scene => reclaim(scene, ['gc', '--disk', '0'], () => undefined),
    end: succeeded(FINISHED),
  },
  'raw output dropped': {
    about: 'raw output of a task that ended long ago',
    repository: 'dirty',
    steps: WORK + DONE,
    tell: scene => reclaim(scene, ['gc'], id => makeAncient(scene, id)),
    end: succeeded(FINISHED),
  },
  adopt: {
    about: 'a worktree of another tool that is taken over',
    repository: 'clean',
    steps: WORK + DONE,
    tell: adoptOther,
    end: () => ({ state: 'succeeded', files: FINISHED, worktrees: 2 }) as const,
  },
  uninstall: {
    about: 'leaving without a trace',
    repository: 'clean',
    steps: WORK + DONE,
    async tell(scene) {
      await endedTask(scene)
      scene.strike.arm()
      await scene.stage.run(['uninstall', '--purge', '--discard'])
      await scene.strike.landed
      await scene.ok(['uninstall', '--purge', '--discard'])
      if (existsSync(scene.stage.home)) throw new Error('the state directory is left')
      return []
    },
    end: () => 'nothing',
  },
  'in hosts': {
    about: 'what is added to Codex and OpenClaw, and taken out of them again',
    repository: 'clean',
    steps: WORK + DONE,
    async tell(scene) {
      const { stage } = scene
      stage.environment.PATH = pathWith(stage.scratch)
      const codex = putPluginHost(stage.scratch, 'codex')
      putProgram(stage.scratch, 'openclaw')
      scene.strike.arm()
      for (const words of [['setup', '--host', 'codex', '--host', 'openclaw'], ['uninstall']]) {
        await stage.run(words)
        // Whoever was killed gives the command again.
        await scene.ok(words)
        const skill = join(stage.scratch, '.openclaw/skills/holdfast/SKILL.md')
        const isAdded = words[0] === 'setup'
        const { plugins, marketplaces } = codex.state()
        const found = [plugins['holdfast@holdfast'] === true, 'holdfast' in marketplaces]
        if ([...found, existsSync(skill)].some(isThere => isThere !== isAdded)) {
          throw new Error(`${words.join(' ')}: it is not as it should be`)
        }
      }
      await scene.strike.landed
      if (existsSync(join(stage.scratch, '.openclaw'))) throw new Error('directories are left')
      if (existsSync(join(stage.home, 'hosts.json'))) throw new Error('it is still written down')
      return []
    },
    end: () => 'nothing',
  },
  shown: {
    about:
      'a task that is shown in tmux: whoever hands it in again, under the same key, has it shown',
    repository: 'clean',
    steps: WORK + DONE,
    async tell(scene) {
      const { stage } = scene
      const shown = join(stage.scratch, 'shown')
      putProgram(stage.scratch, 'tmux', `echo "$@" >>'${shown}'`)
      stage.environment.PATH = `${join(stage.scratch, 'bin')}:${stage.environment.PATH}`
      scene.strike.arm()
      const id = await scene.submitted([...TASK, '--tmux', '--idempotency-key', 'one'])
      await scene.strike.landed
      await scene.untilEnded(id)
      if (!readFileSync(shown, 'utf8').includes(`logs -f ${id}`)) throw new Error('it is not shown')
      return [id]
    },
    end: succeeded(FINISHED),
  },
  opened: {
    about: 'an editor on the worktree of a task that has ended; whoever sits there opens it again',
    repository: 'clean',
    steps: WORK + DONE,
    async tell(scene) {
      await endedTask(scene)
      const { stage } = scene
      putProgram(stage.scratch, 'by-hand', 'echo "by hand" >by-hand.txt')
      stage.environment.VISUAL = join(stage.scratch, 'bin', 'by-hand')
      const open = async () => {
        const id = () => readTasks(stage.home).at(-1)?.id ?? ''
        const before = id()
        const over = stage.sitDown(['open', before, '--editor'])
        await eventually('it is handed in', () => id() !== before)
        await over
        await scene.untilEnded(id())
        return id()
      }
      scene.strike.arm()
      await open()
      await scene.strike.landed
      return [await open()]
    },
    end: () => ({ ...succeeded({ ...FINISHED, 'by-hand.txt': 'by hand\n' })(), before: 2 }),
  },
  'with the machine': {
    about: 'a worker that is to start with the machine, in one way, in another, and not any more',
    repository: 'clean',
    steps: WORK + DONE,
    async tell(scene) {
      const { stage } = scene
      const table = putCrontab(stage)
      scene.strike.arm()
      const ways = [
        ['install', '--method', 'systemd'],
        ['install', '--method', 'cron'],
        ['uninstall'],
      ]
      for (const words of ways) {
        await stage.run(['worker', ...words])
        // Whoever was killed gives the command again.
        await scene.ok(['worker', ...words])
      }
      await scene.strike.landed
      const units = join(stage.scratch, '.config/systemd/user')
      const left = [...readdirSync(units), ...readdirSync(join(units, 'default.target.wants'))]
      if (left.join() !== 'default.target.wants') throw new Error(`left: ${left}`)
      if (readFileSync(table, 'utf8') !== MY_TABLE) throw new Error('the crontab is another')
      return []
    },
    end: () => 'nothing',
  },
  retry: {
    about: 'a task that is done anew',
    repository: 'dirty',
    steps: WORK + DONE,
    async tell(scene) {
      const first = await scene.submitted(TASK)
      await scene.untilEnded(first)
      scene.strike.arm()
      const second = await scene.submit(['retry', first])
      if (second === undefined) {
        await forgetAll(scene)
        return [first]
      }
      await scene.untilEnded(second)
      return [first, second]
    },
    end: succeeded(FINISHED),
  },
  after: {
    about: 'a task that starts once another one has succeeded',
    repository: 'clean',
    steps: WORK + DONE,
    async tell(scene) {
      scene.stage.arm('agent.mid-tool', 'stand')
      const first = await scene.submitted(TASK)
      await scene.untilReached('agent.mid-tool')
      const second = await scene.submitted([...TASK, '--after', first])
      scene.strike.arm()
      scene.stage.letGo('agent.mid-tool')
      await scene.untilEnded(second)
      return [first, second]
    },
    end: succeeded(FINISHED),
  },
  'worker stopped': {
    about: 'a worker that is told to stop while an agent runs',
    repository: 'clean',
    steps: WORK + DONE,
    async tell(scene) {
      scene.stage.arm('agent.mid-tool', 'stand')
      const id = await scene.submitted(TASK)
      await scene.untilReached('agent.mid-tool')
      scene.strike.arm()
      await scene.stage.run(['worker', 'stop'], '/')
      await scene.strike.landed
      // It has been told not to come back.
      scene.watchdogLived = false
      scene.stage.letGo('agent.mid-tool')
      await scene.untilEnded(id)
      return [id]
    },
    end: succeeded(FINISHED),
  },
} as const satisfies Record<string, Story>

/** The same with the real Codex against the scripted model. */
const codexStories = {
  codex: { ...keeperStories.plain, about: 'a task of the real Codex', codex: {} },
  'codex with changes': {
    ...keeperStories.changes,
    about: 'the same, from uncommitted changes',
    codex: { looksAround: true },
  },
  'codex resumed': {
    ...keeperStories.resume,
    about: 'the same, after Codex was killed before',
    codex: {},
  },
  'codex cancelled': { ...keeperStories.cancel, about: 'the same, cancelled', codex: {} },
  'codex cancelled after': {
    ...keeperStories['cancel after'],
    about: 'the same, cancelled right after the blow',
    codex: {},
  },
  'codex failed': {
    ...keeperStories.failure,
    about: 'the same, with a model that fails in the end',
    codex: { fails: true },
  },
} as const satisfies Record<string, Story>

export const stories = { ...keeperStories, ...codexStories }

export type StoryName = keyof typeof stories
