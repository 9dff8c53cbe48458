/**
 * The plugins for Claude Code in the real Claude Code, without a terminal, against the scripted model.
 * The agent that tasks are handed to is a small program: it keeps what it was told.
 */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { ensureAgent } from '../../src/demo/ensure-agent.ts'
import { writeClaudeHome } from '../../src/demo/scripted-model/claude-home.ts'
import {
  type Choose,
  call,
  callAll,
  say,
  shell,
  type ToolCall,
} from '../../src/demo/scripted-model/script.ts'
import { type ScriptedModel, startScriptedModel } from '../../src/demo/scripted-model/server.ts'
import type { TaskView } from '../../src/surfaces/view.ts'
import { houseWithCodex } from '../end-to-end/fake-codex.ts'
import { entry, type House } from '../end-to-end/house.ts'
import { eventually } from '../eventually.ts'
import { heard } from './house-with-model.ts'

const { bin } = await ensureAgent('claude')
const root = fileURLToPath(new URL('../..', import.meta.url))

const models: ScriptedModel[] = []
afterEach(async () => {
  for (const model of models.splice(0)) await model.close()
})

/** Shells, templates and JSON would all make something else of it. */
const TEXT =
  'say "it\'s" `touch bad` $(touch bad) $HOME \\n $ARGUMENTS !`touch bad`; touch bad\n\n<é> "$@"'

/** It waits until it may go on, if it is told to. */
const AGENT = `
case $prompt in *WAIT-HERE*) until [ -e "$HOME/go" ]; do sleep 0.05; done;; esac
printf '%s' "$prompt" >told.txt
begin
finish 'The answer of the agent.'
`

/** The house, and what runs Claude Code in it with one prompt, to its end: what it prints. */
async function claudeHouse(
  choose: Choose,
  agent = AGENT,
  names: readonly string[] = ['holdfast', 'codex'],
) {
  const model = await startScriptedModel({ choose, fallback: say('Nothing more.') })
  models.push(model)
  const house = houseWithCodex(agent)
  const home = join(house.scratch, 'claude')
  Object.assign(house.environment, await writeClaudeHome(home, model.origin), {
    PATH: `${dirname(bin)}:${house.environment.PATH}`,
  })
  const options = { cwd: house.repo, env: house.environment } as const
  const claude = (...words: string[]) =>
    new Promise<string>((resolve, reject) => {
      const child = execFile(bin, words, options, (error, stdout, stderr) =>
        error === null
          ? resolve(stdout)
          : reject(new Error(`${stdout}${stderr}`, { cause: error })),
      )
      child.stdin?.end()
    })
  const plugins = names.flatMap(name => ['--plugin-dir', join(root, 'plugin', name)])
  const ask = (prompt: string, ...words: string[]) => claude('-p', prompt, ...plugins, ...words)
  const start = (prompt: string) =>
    spawn(bin, ['-p', prompt, ...plugins], { ...options, stdio: 'ignore' })
  return { house, model, claude, ask, start }
}

/** The one command that the model was told to run; none: it was told none. */
function lineIn(body: unknown): string {
  const text = JSON.stringify(body).replaceAll('\\n', '\n')
  const found = /^\S+ \S+holdfast\.cjs rescue --request [0-9a-f]{24}$/m.exec(text)
  return found?.[0] ?? 'echo no command was named'
}

/** How often tools have answered in the conversation. */
const resultsOf = ({ conversation }: Parameters<Choose>[0]) =>
  conversation.resultsAfter.reduce((sum, count) => sum + count, 0)

async function tasksOf(house: House): Promise<readonly TaskView[]> {
  return JSON.parse(await house.ok(['status', '--all', '--json'])).tasks
}

/** What the agent was told, less our own preamble. */
function toldIn(directory: string): string {
  const told = readFileSync(join(directory, 'told.txt'), 'utf8')
  return told.slice(told.indexOf('\n\n') + 2)
}

test('both plugins are valid, install from the package, and answer without a model', async () => {
  const { claude, model } = await claudeHouse(() => undefined)
  for (const path of [
    '',
    ...['holdfast', 'codex', 'holdfast-worktrees'].map(one => `plugin/${one}`),
  ]) {
    expect(await claude('plugin', 'validate', '--strict', join(root, path))).toContain('passed')
  }
  await claude('plugin', 'marketplace', 'add', root)
  const installed = await claude('plugin', 'install', 'codex@holdfast')
  expect(installed).toContain('1 dependency: holdfast')
  expect(await claude('-p', '/codex:setup $(touch bad)')).toContain('unexpected "$(touch"')
  expect(await claude('-p', '/holdfast:setup')).toMatch(/^codex .*logged in/m)
  expect(heard(model)).toEqual([])
})

test('a model hands on by a skill: once, byte for byte, unasked, and the work is brought back', async () => {
  const { house, model, ask } = await claudeHouse(request => {
    const steps = [
      call('Skill', { skill: 'holdfast:rescue', args: TEXT }),
      shell(lineIn(request.body)),
    ]
    return steps[resultsOf(request)] ?? say('All is said.')
  })
  expect(await ask('go on')).toContain('All is said.')
  const tasks = await tasksOf(house)
  expect(tasks).toMatchObject([{ state: 'succeeded', agent: 'codex', caller: { kind: 'claude' } }])
  expect(toldIn(house.repo)).toBe(TEXT)
  const said = heard(model).filter(body => body.includes('The answer of the agent.'))
  expect(said.some(body => body.includes(`apply --undo ${tasks[0]?.id}`))).toBe(true)
  expect(existsSync(join(house.repo, 'bad'))).toBe(false)
})

test('a subagent that waits has the work brought into its own worktree, which stays', async () => {
  const { house, model, ask } = await claudeHouse(request => {
    if (request.headers['x-claude-code-agent-id'] !== undefined) {
      // It would go into the background, where it would end with the subagent.
      const input = { command: lineIn(request.body), description: 'x', run_in_background: true }
      return resultsOf(request) === 0 ? call('Bash', input) : say('The subagent is done.')
    }
    const agent = { subagent_type: 'holdfast:delegate', isolation: 'worktree', prompt: TEXT }
    return resultsOf(request) === 0
      ? call('Agent', { description: 'hand it on', ...agent })
      : say('So be it.')
  })
  await ask('go on')
  expect(await tasksOf(house)).toMatchObject([{ state: 'succeeded' }])
  const subagents = join(house.repo, '.claude', 'worktrees')
  const [only = '', ...more] = readdirSync(subagents)
  expect([only.startsWith('agent-'), more]).toEqual([true, []])
  expect(toldIn(join(subagents, only))).toBe(TEXT)
  expect(existsSync(join(house.repo, 'told.txt'))).toBe(false)
  expect(heard(model).some(body => body.includes('The answer of the agent.'))).toBe(true)
})

const FINDING = {
  ...{ severity: 'critical', title: 'It divides by nought', body: 'Where the list is empty.' },
  ...{ file: 'made', line_start: 1, line_end: 1, confidence: 1, recommendation: '' },
}
const REVIEW = JSON.stringify({
  ...{ verdict: 'needs-attention', summary: 's', next_steps: [], findings: [FINDING] },
})
const REVIEWER = `
begin
cat <<'END'
${JSON.stringify({ type: 'item.completed', item: { type: 'agent_message', text: REVIEW } })}
{"type":"turn.completed"}
END
`

test('a session that would stop reads what its review has found, and goes on; then it stops', async () => {
  const make = 'touch made'
  const { house, model, ask } = await claudeHouse(request => {
    const isTold = JSON.stringify(request.body).includes('It divides by nought')
    return resultsOf(request) === 0 ? shell(make) : say(isTold ? 'So be it.' : 'All is done.')
  }, REVIEWER)
  await house.ok(['setup', '--enable-review-gate', '--json'])
  expect(await ask('go on', '--allowedTools', `Bash(${make})`)).toContain('So be it.')
  const reason = heard(model).find(body => body.includes('It divides by nought'))
  expect(reason).toContain('round 1 of at most 2')
  expect(await tasksOf(house)).toMatchObject([{ name: 'review-of-turn', state: 'succeeded' }])
})

test('what Claude Code runs in the background ends with its session: the task does not', async () => {
  const { house, start } = await claudeHouse(request => {
    const input = { command: lineIn(request.body), description: 'x', run_in_background: true }
    return resultsOf(request) === 0 ? call('Bash', input) : say('It runs.')
  })
  const session = start('/codex:rescue --wait WAIT-HERE for it')
  const gone = once(session, 'exit')
  const [task] = await eventually('it is handed in', async () => {
    const tasks = await tasksOf(house)
    return tasks.length > 0 && tasks
  })
  session.kill('SIGTERM')
  await gone
  writeFileSync(join(house.scratch, 'go'), '')
  const ended = await house.untilState(task?.id ?? '', 'succeeded', 'failed')
  expect(ended).toMatchObject({ state: 'succeeded' })
  expect(await tasksOf(house)).toHaveLength(1)
})

test('subagents hand on at once and end, their worktrees go, and the session that asked is told of each', async () => {
  const hold = (scratch: string) => `sh '${join(scratch, 'hold.sh')}'`
  const asks = [
    ...['One', 'Two', 'Three'].map(name => ['holdfast:delegate', `${name}: ${TEXT}`] as const),
    ['codex:codex-rescue', `Four: ${TEXT}`] as const,
  ]
  const texts = asks.map(([, text]) => `WAIT-HERE ${text}`)
  const calls = asks.map(([subagent_type, text]) => ({
    name: 'Agent',
    input: {
      ...{ description: 'hand it on', subagent_type, isolation: 'worktree' },
      prompt: `WAIT-HERE ${text} --background`,
    },
  }))
  let house: House | undefined
  const set = await claudeHouse(request => {
    if (request.headers['x-claude-code-agent-id'] !== undefined) {
      return resultsOf(request) === 0 ? shell(lineIn(request.body)) : say('The subagent is done.')
    }
    if (resultsOf(request) === 0) return callAll(calls as [ToolCall, ...ToolCall[]])
    const done = JSON.stringify(request.body).split('The subagent is done.').length - 1
    const isHeld = resultsOf(request) > asks.length
    return done >= asks.length && !isHeld ? shell(hold(house?.scratch ?? '')) : say('So be it.')
  })
  house = set.house
  const { scratch, repo } = house
  // While it runs, the session lives.
  writeFileSync(
    join(scratch, 'hold.sh'),
    `: >'${scratch}/held'\nuntil [ -e '${scratch}/enough' ]; do sleep 0.05; done\n`,
  )
  const over = set.ask('go on', '--allowedTools', `Bash(${hold(scratch)})`)
  await eventually('the subagents have ended', () => existsSync(join(scratch, 'held')))
  const subagents = join(repo, '.claude', 'worktrees')
  await eventually(
    'their worktrees are gone',
    () => !existsSync(subagents) || readdirSync(subagents).length === 0,
  )
  const tasks = await tasksOf(house)
  const places = new Set(tasks.map(({ caller }) => caller.directory))
  expect([tasks.length, places.size]).toEqual([asks.length, asks.length])
  for (const place of places) expect(place).toContain('/.claude/worktrees/agent-')
  writeFileSync(join(scratch, 'go'), '')
  const told: string[] = []
  for (const { id } of tasks) {
    expect(await house.untilState(id, 'succeeded', 'failed')).toMatchObject({ state: 'succeeded' })
    told.push(toldIn(house.worktree(id)))
  }
  expect(told.sort()).toEqual([...texts].sort())
  await eventually('it is told', () => isSent(set.house))
  writeFileSync(join(scratch, 'enough'), '')
  await over
  // Of one it was told by its inbox; of what had ended by then, beside that.
  const said = heard(set.model)
  expect(said.some(body => body.includes('(codex in '))).toBe(true)
  const inbox = await house.ok(['inbox'])
  for (const { id } of tasks) {
    const line = new RegExp(` succeeded(?: \\(codex in [^)]+\\))?[^:\\\\]*: holdfast result ${id}`)
    expect(said.some(body => line.test(body))).toBe(true)
    expect(inbox).toContain(id)
  }
})

test('where a session has no inbox, what it has handed in wakes it by a hook beside it', async () => {
  let house: House | undefined
  const noInbox = 'env -u CLAUDE_CODE_MESSAGING_SOCKET'
  const hand = `${noInbox} ${process.execPath} ${entry} run codex WAIT-HERE`
  const hold = () => `sh '${join(house?.scratch ?? '', 'hold.sh')}'`
  const set = await claudeHouse(request => {
    const steps = [shell(hand), shell(hold())]
    return steps[resultsOf(request)] ?? say('So be it.')
  })
  house = set.house
  const { scratch, home } = house
  writeFileSync(
    join(scratch, 'hold.sh'),
    `: >'${scratch}/held'\nuntil [ -e '${scratch}/enough' ]; do sleep 0.05; done\n`,
  )
  const over = set.ask('go on', '--allowedTools', `Bash(${hold()})`, `Bash(${hand})`)
  await eventually('it waits', () => existsSync(join(scratch, 'held')))
  const [task] = await tasksOf(house)
  const id = task?.id ?? ''
  writeFileSync(join(scratch, 'go'), '')
  const shown = join(home, 'plugin', 'sessions')
  await eventually('the hook has told it', () => existsSync(shown) && readdirSync(shown).length > 0)
  writeFileSync(join(scratch, 'enough'), '')
  await over
  const line = `(codex) succeeded: holdfast result ${id}`
  expect(heard(set.model).some(body => body.includes(line))).toBe(true)
})

test('an isolated subagent works in a worktree of ours, which nobody deletes under it', async () => {
  const work = 'touch work.txt'
  const set = await claudeHouse(
    request => {
      if (request.headers['x-claude-code-agent-id'] !== undefined) {
        return resultsOf(request) === 0 ? shell(work) : say('The subagent is done.')
      }
      const input = { description: 'x', prompt: 'do it', isolation: 'worktree' }
      const agent = { ...input, subagent_type: 'general-purpose' }
      return resultsOf(request) === 0 ? call('Agent', agent) : say('So be it.')
    },
    AGENT,
    ['holdfast-worktrees'],
  )
  const { house } = set
  await set.ask('go on', '--allowedTools', `Bash(${work})`)
  const listed = JSON.parse(await house.ok(['worktree', 'ls', '--json']))
  const [{ path, id }, ...more] = listed.worktrees
  expect([more, existsSync(join(house.repo, '.claude', 'worktrees'))]).toEqual([[], false])
  expect(path).toMatch(/\/home\/worktrees\/claude-agent-/)
  expect(readdirSync(path).sort()).toEqual(['.git', '.gitignore', 'kept.txt', 'work.txt'])
  // Its session is gone: it goes like any other, and comes back.
  await house.ok(['gc', '--keep', '0'])
  expect(existsSync(path)).toBe(false)
  expect(await house.ok(['restore', id])).toBe(`${path}\n`)
  expect(existsSync(join(path, 'work.txt'))).toBe(true)
})

/** Whether the session's inbox has taken what was owed to it. */
function isSent(house: House): boolean {
  const store = new DatabaseSync(join(house.home, 'store.db'), { readOnly: true, timeout: 60_000 })
  try {
    const rows = store.prepare("SELECT state FROM deliveries WHERE channel = 'claude'").all()
    return rows.some(({ state }) => state === 'sent')
  } finally {
    store.close()
  }
}

test('a task outlives the session that asked, and another one finds it and has its answer', async () => {
  let id = ''
  const { house, model, ask } = await claudeHouse(request => {
    const said = JSON.stringify(request.body)
    if (resultsOf(request) > 0) return say('That is all.')
    return said.includes('SECOND-SESSION')
      ? call('Skill', { skill: 'codex:result', args: id })
      : shell(lineIn(request.body))
  })
  await ask(`/codex:rescue --background WAIT-HERE ${TEXT}`)
  const [task, ...more] = await tasksOf(house)
  id = task?.id ?? ''
  expect([more, ['queued', 'starting', 'running'].includes(task?.state ?? '')]).toEqual([[], true])
  writeFileSync(join(house.scratch, 'go'), '')
  expect(await house.untilState(id, 'succeeded', 'failed')).toMatchObject({ state: 'succeeded' })
  expect(toldIn(house.worktree(id))).toBe(`WAIT-HERE ${TEXT}`)
  expect(existsSync(join(house.repo, 'told.txt'))).toBe(false)
  // At the session's end, or where a slow machine leaves no time for that, once nobody is there.
  await eventually(
    'its token is forgotten',
    () => readdirSync(join(house.home, 'callers')).length === 0,
  )
  const before = heard(model).length
  await ask('SECOND-SESSION')
  const [start = '', end = ''] = heard(model).slice(before)
  expect(start).toContain(`succeeded: holdfast result ${id}`)
  expect(end).toContain('The answer of the agent.')
  expect(await house.ok(['inbox'])).toBe('')
})
