/**
 * The main job, shown on a throw-away repository: a real Codex, driven by a scripted model, loses
 * everything that usually ends a task, and the task goes on. Uses Holdfast from outside, as anybody
 * would; no account, no network beyond loopback; leaves nothing behind.
 */
import { execFile, type SpawnOptions, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { cacheDirectory, ensureAgent } from './ensure-agent.ts'
import { writeCodexHome } from './scripted-model/codex-home.ts'
import { say, shell } from './scripted-model/script.ts'
import { startScriptedModel } from './scripted-model/server.ts'

export interface DemoOptions {
  /** What starts Holdfast: a program and its first arguments. */
  readonly holdfast: readonly [string, ...string[]]
  readonly environment: Readonly<Record<string, string | undefined>>
  /** A line for the audience. */
  readonly say: (line: string) => void
}

const PROMPT = 'Add a farewell to the greeter, and a test for it.'
/** Each step of the play takes a second or two; a machine may be busy. */
const STEP_LIMIT_MS = 120_000

const exec = promisify(execFile)

/** Plays the demo. Rejects, naming the step, where anything is not as promised. */
export async function playDemo(options: DemoOptions): Promise<void> {
  const codex = await findCodex(options.environment)
  // With an older bubblewrap on the machine, a Codex whose home is below `/tmp` runs no commands.
  await mkdir(cacheDirectory(), { recursive: true })
  const scratch = await realpath(await mkdtemp(join(cacheDirectory(), 'demo-')))
  const releasers: (() => Promise<unknown>)[] = [
    () => rm(scratch, { recursive: true, force: true, maxRetries: 5 }),
  ]
  try {
    await play(scratch, codex, options, releasers)
  } finally {
    for (const release of releasers.reverse()) await release()
  }
}

async function play(
  scratch: string,
  codex: string,
  { holdfast, environment, say: tell }: DemoOptions,
  releasers: (() => Promise<unknown>)[],
): Promise<void> {
  const model = await startScriptedModel({ turns: script })
  releasers.push(() => model.close())
  const env = {
    ...environment,
    ...(await writeCodexHome(join(scratch, 'codex-home'), model.url)),
    PATH: `${dirname(codex)}${delimiter}${environment.PATH}`,
    HOLDFAST_HOME: join(scratch, 'state'),
    NO_COLOR: '1',
  }
  const [program, ...first] = holdfast
  const run = async (directory: string, ...words: string[]) =>
    (await exec(program, [...first, ...words], { cwd: directory, env })).stdout
  releasers.push(() => run('/', 'worker', 'stop'))

  tell('A repository with work in progress: staged, unstaged, untracked and ignored files.')
  const { source, caller } = await makeRepository(scratch)
  const before = await fingerprint(source)

  tell(`A caller hands a task to a real Codex from a linked worktree: "${PROMPT}"`)
  const id = await launchAndKill([program, ...first], caller, env, tell)
  tell(`  the caller and its whole process group: killed (SIGKILL). The task is ${id}.`)
  await git(source, 'worktree', 'remove', '--force', caller)
  tell('  the directory that the caller stood in: deleted.')

  const worktree = join(scratch, 'state', 'worktrees', id)
  await eventually('the agent is in mid-tool', () => existsSync(join(worktree, '.mid-tool')))
  const worker = JSON.parse(await run('/', 'worker', 'status', '--json')) as { pid: number }
  process.kill(worker.pid, 'SIGKILL')
  const agent = await agentPid(join(scratch, 'state', 'tasks', id, 'runs', '1'))
  process.kill(agent, 'SIGKILL')
  tell(
    `  the agent, in the middle of a tool (pid ${agent}), and the worker (pid ${worker.pid}): killed.`,
  )

  tell('Then nothing is done but to wait, in another directory.')
  const task = JSON.parse(await run('/', 'wait', id, '--timeout', '5m', '--json')).tasks[0] as {
    state: string
    attempt: number
  }
  if (task.state !== 'succeeded') throw new Error(`the task is ${task.state}`)

  tell('\nIts timeline:')
  const evidence = JSON.parse(await run('/', 'result', id, '--json')) as {
    answer: string
    timeline: { at: string; text: string }[]
  }
  for (const { at, text } of evidence.timeline) tell(`  ${at.slice(11, 23)}  ${text}`)
  tell(`\nIts answer, verbatim:\n  ${evidence.answer}`)
  tell('\nIts change (holdfast diff), the agent’s own and nothing of the caller’s:')
  tell((await run('/', 'diff', id)).replace(/^(?=.)/gm, '  ').trimEnd())

  const after = await fingerprint(source)
  if (after !== before) throw new Error('the source checkout has changed')
  tell('\nThe source checkout: files, index bytes, HEAD, branches and stash are what they were:')
  tell(`  sha256 ${before.slice(0, 32)} before\n  sha256 ${after.slice(0, 32)} after`)
  const history = model.requests.filter(({ conversation }) => conversation !== null).length
  tell(
    `\nOne task, ${task.attempt} tries of one session, ${history} requests to the model. Nothing is left behind.`,
  )
  if (findOnPath('holdfast', environment) === undefined) {
    tell('\nPut it on your PATH (npm install --global .), and then, in a repository of yours:')
  } else tell('\nNow with your own agent, in a repository of yours:')
  tell('  holdfast run "fix the failing test"')
  tell('  holdfast status')
}

// The commands are shell text for the agent to run; the placeholders in them are JavaScript of the
// repository that it works on.
/** What the model says: it works, is interrupted in mid-tool, and goes on after the resume. */
const script = [
  shell(
    "printf 'export const farewell = name => `Goodbye, ${name}!`\\n' >> greeter.js; touch .mid-tool; exec sleep 600",
    'I will add the farewell first.',
  ),
  shell(
    "unlink .mid-tool; printf \"import { farewell } from './greeter.js'\\nif (farewell('you') !== 'Goodbye, you!') process.exit(1)\\n\" > farewell.test.js; cat greeter.js",
    'I was interrupted. The farewell is there already; the test is missing.',
  ),
  say('Added farewell() to greeter.js and a test for it in farewell.test.js.'),
]

type Variables = Readonly<Record<string, string | undefined>>

async function findCodex(environment: Variables): Promise<string> {
  return findOnPath('codex', environment) ?? (await ensureAgent('codex')).bin
}

function findOnPath(name: string, { PATH = '' }: Variables): string | undefined {
  const places = PATH.split(delimiter).filter(directory => directory !== '')
  return places.map(directory => join(directory, name)).find(existsSync)
}

async function git(directory: string, ...words: string[]): Promise<string> {
  const identity = ['-c', 'user.name=Demo', '-c', 'user.email=demo@localhost']
  return (await exec('git', [...identity, ...words], { cwd: directory })).stdout
}

async function makeRepository(scratch: string): Promise<{ source: string; caller: string }> {
  const source = join(scratch, 'my project')
  const caller = join(scratch, 'caller')
  await mkdir(source)
  await git(source, 'init', '--quiet', '--initial-branch=trunk')
  await writeFile(join(source, '.gitignore'), 'secret.env\n')
  await writeFile(join(source, 'greeter.js'), 'export const greet = name => `Hello, ${name}!`\n')
  await writeFile(join(source, 'README.md'), 'A greeter.\n')
  await git(source, 'add', '.')
  await git(source, 'commit', '--quiet', '--message=Greet')
  await git(source, 'worktree', 'add', '--quiet', '--detach', caller)
  for (const checkout of [source, caller]) {
    await writeFile(join(checkout, 'README.md'), 'A greeter, and more.\n')
    await git(checkout, 'add', 'README.md')
    await writeFile(join(checkout, 'README.md'), 'A greeter, and much more.\n')
    await writeFile(join(checkout, 'notes.txt'), 'mine\n')
    await writeFile(join(checkout, 'secret.env'), 'TOKEN=1\n')
  }
  return { source, caller }
}

/** A shell that hands the task in and is then killed with all that it started. */
async function launchAndKill(
  holdfast: readonly string[],
  directory: string,
  env: SpawnOptions['env'],
  tell: (line: string) => void,
): Promise<string> {
  const launcher = spawn(
    '/bin/sh',
    ['-c', '"$@" && exec sleep 600', 'caller', ...holdfast, 'run', 'codex', PROMPT],
    { cwd: directory, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let said = ''
  let data = ''
  launcher.stdout.on('data', chunk => {
    data += chunk
  })
  launcher.stderr.on('data', chunk => {
    said += chunk
  })
  const id = await eventually('the task has an id', () => {
    if (launcher.exitCode !== null) throw new Error(`holdfast run failed: ${said}`)
    return said.includes('next:') && /^(\w+)\n/.exec(data)?.[1]
  })
  tell(`  ${said.split('\n')[0]}`)
  if (launcher.pid !== undefined) process.kill(-launcher.pid, 'SIGKILL')
  await once(launcher, 'exit')
  return id
}

/** The agent process writes itself down in its run directory: its pid comes first. */
async function agentPid(runDirectory: string): Promise<number> {
  return Number.parseInt(await readFile(join(runDirectory, 'pid'), 'utf8'), 10)
}

/** A hash over all that the promise names: files, index bytes, HEAD, refs of the user's, stash. */
async function fingerprint(source: string): Promise<string> {
  const hash = createHash('sha256')
  const names = (await readdir(source)).filter(name => name !== '.git').sort()
  for (const name of [...names, '.git/index', '.git/HEAD']) {
    hash.update(name).update(await readFile(join(source, name)))
  }
  const refs = await git(source, 'for-each-ref', '--format=%(objectname) %(refname)')
  for (const ref of refs.split('\n')) if (!ref.includes(' refs/holdfast/')) hash.update(ref)
  hash.update(await git(source, 'stash', 'list'))
  return hash.digest('hex')
}

async function eventually<T>(what: string, look: () => T | undefined | null | false): Promise<T> {
  const deadline = performance.now() + STEP_LIMIT_MS
  for (;;) {
    const value = look()
    if (value !== undefined && value !== null && value !== false) return value
    if (performance.now() > deadline) throw new Error(`it never came that ${what}`)
    await sleep(20)
  }
}
