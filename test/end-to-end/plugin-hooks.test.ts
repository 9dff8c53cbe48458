/** The hooks of the plugin for Claude Code, fed as it feeds them, and the one command that they name. */
import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { eventually } from '../eventually.ts'
import { houseWithCodex } from './fake-codex.ts'
import { entry, House } from './house.ts'
import { McpClient } from './mcp-client.ts'

const launcher = fileURLToPath(new URL('../../plugin/holdfast/hook.cjs', import.meta.url))
const SESSION = 'session-1'

/** What Claude Code has in the environment of its hooks and of its Bash. */
const claude = (session = SESSION) => ({ CLAUDECODE: '1', CLAUDE_CODE_SESSION_ID: session })

interface Hooked {
  readonly decision?: string
  readonly reason?: string
  readonly systemMessage?: string
  readonly hookSpecificOutput?: {
    readonly additionalContext?: string
    readonly permissionDecision?: string
    readonly permissionDecisionReason?: string
    readonly updatedInput?: Readonly<Record<string, unknown>>
  }
}

/** Calls a hook by the plugin's own launcher; undefined: it says nothing. */
async function call(
  house: House,
  event: string,
  input: object,
  environment: Readonly<Record<string, string>> = {},
  plugin = 'holdfast',
): Promise<Hooked | undefined> {
  const said = {
    session_id: SESSION,
    transcript_path: '/nowhere',
    cwd: house.repo,
    permission_mode: 'default',
    hook_event_name: event,
    ...input,
  }
  const stdout = await new Promise<string>((resolve, reject) => {
    const child = execFile(
      process.execPath,
      [launcher, event, plugin],
      { cwd: house.repo, env: { ...house.environment, ...claude(), ...environment } },
      (error, out, err) => (error === null && err === '' ? resolve(out) : reject(error ?? err)),
    )
    child.stdin?.end(JSON.stringify(said))
  })
  return stdout === '' ? undefined : JSON.parse(stdout)
}

const typed = (house: House, name: string, args: string, environment = {}) =>
  call(
    house,
    'UserPromptExpansion',
    { command_name: name, command_args: args, prompt: `/${name} ${args}` },
    environment,
    name.split(':')[0],
  )

const uses = (
  house: House,
  tool_name: string,
  tool_input: object,
  more: object = {},
  plugin = 'holdfast',
) => call(house, 'PreToolUse', { tool_name, tool_input, ...more }, {}, plugin)

/** The lines of a context that are commands. */
function linesIn(text: string | undefined): string[] {
  return text?.split('\n').filter(line => line.includes(' --request ')) ?? []
}

async function lineFor(house: House, name: string, args: string): Promise<string> {
  const reply = await typed(house, name, args)
  const [line, ...more] = linesIn(reply?.hookSpecificOutput?.additionalContext)
  expect([reply?.reason, more]).toEqual([undefined, []])
  return line ?? ''
}

/** Runs a line as the Bash tool would. */
function bash(house: House, line: string, directory = house.repo): Promise<string> {
  const options = { cwd: directory, env: { ...house.environment, ...claude() } }
  return new Promise((resolve, reject) => {
    execFile('/bin/sh', ['-c', line], options, (error, stdout, stderr) =>
      error === null ? resolve(stdout + stderr) : reject(error),
    )
  })
}

const idIn = (text: string) =>
  /holdfast (?:apply|result|status)(?: --undo)? ([a-z0-9]{10})/.exec(text)?.[1] ?? ''

const WORK = `
printf '%s' "$prompt" >>prompts.txt
begin
finish "$resumed $session"
`

test('a text comes to the agent byte for byte, by one line that needs no permission', async () => {
  const house = houseWithCodex(WORK)
  const text = 'say "it\'s" `touch bad` $(touch bad) $HOME \\n; touch bad\n\n--wait\t<é> "$@"'
  const line = await lineFor(house, 'codex:rescue', `--background ${text}`)
  const requests = join(house.home, 'plugin', 'requests')
  const [kept = ''] = readdirSync(requests)
  expect(statSync(requests).mode & 0o777).toBe(0o700)
  expect(statSync(join(requests, kept)).mode & 0o777).toBe(0o600)
  expect(line).toBe(`${process.execPath} ${entry} rescue --request ${kept}`)

  const input = { command: line, description: 'x' }
  const allowed = await uses(house, 'Bash', input)
  expect(allowed?.hookSpecificOutput).toMatchObject({
    permissionDecision: 'allow',
    updatedInput: { command: `${line} --at-most 9m`, timeout: 600_000, run_in_background: false },
  })
  // A subagent's would be ended with it, and the main session's is its own affair.
  const behind = { ...input, run_in_background: true }
  const inSubagent = await uses(house, 'Bash', behind, { agent_id: 'a1' })
  expect(inSubagent?.hookSpecificOutput?.updatedInput?.run_in_background).toBe(false)
  const inMain = await uses(house, 'Bash', behind)
  expect(inMain?.hookSpecificOutput?.updatedInput).toEqual({ ...behind, command: line })
  for (const command of [`${line}; touch bad`, line.replace(kept, '0'.repeat(24))]) {
    expect(await uses(house, 'Bash', { command })).toBe(undefined)
  }
  expect(await uses(house, 'Bash', input, { permission_mode: 'plan' })).toBe(undefined)
  const waiting = { command: 'holdfast run --wait "x"', run_in_background: true }
  expect(await uses(house, 'Bash', waiting)).toBe(undefined)
  const advised = await uses(house, 'Bash', waiting, { agent_id: 'a1' })
  expect(advised?.hookSpecificOutput?.permissionDecisionReason).toContain('without --wait')

  const before = house.fingerprint()
  const said = await bash(house, line)
  const id = idIn(said)
  expect(said).toContain(`holdfast status ${id} · holdfast result ${id} · holdfast diff ${id} · `)
  expect(await house.wait(id)).toMatchObject({
    state: 'succeeded',
    agent: 'codex',
    caller: { kind: 'claude', id: SESSION },
  })
  const prompt = readFileSync(join(house.worktree(id), 'prompts.txt'), 'utf8')
  expect(prompt.endsWith(`\n\n${text}`)).toBe(true)
  expect(existsSync(join(house.worktree(id), 'bad'))).toBe(false)
  // Run twice, it is one task; and in the background nothing is taken home.
  expect(idIn(await bash(house, line))).toBe(id)
  expect(house.fingerprint()).toBe(before)
})

test('in the foreground the answer comes at once, and the work is brought back if it can be', async () => {
  const house = houseWithCodex(`
until [ -e "$HOME/go" ]; do sleep 0.05; done
echo made >made.txt
begin
finish 'All done.'
`)
  const linked = join(house.scratch, 'linked')
  house.git('worktree', 'add', '--quiet', '--detach', linked)
  const [line, inTheWay, gone] = await Promise.all([
    lineFor(house, 'codex:rescue', 'make it'),
    lineFor(house, 'codex:rescue', 'make it too'),
    lineFor(house, 'codex:rescue', 'make it there'),
  ])
  const soon = await bash(house, `${line} --at-most 1ms`)
  expect(soon).toMatch(/^Codex is still at work on "make-it" .*nothing is applied by itself/)
  const conflicting = join(house.scratch, 'conflicting')
  house.git('worktree', 'add', '--quiet', '--detach', conflicting)
  const waiting = [bash(house, line), bash(house, inTheWay, conflicting), bash(house, gone, linked)]
  await eventually('all are handed in', async () => {
    const { tasks } = JSON.parse(await house.ok(['status', '--all', '--json']))
    return tasks.length === 3
  })
  house.write('made.txt', 'of my own\n', conflicting)
  house.git('worktree', 'remove', linked)
  writeFileSync(join(house.scratch, 'go'), '')
  const [good = '', conflict = '', lost = ''] = await Promise.all(waiting)
  expect(good).toMatch(
    /^All done\.\n1 file \+1 -0: written to .*, not staged\. .*apply --undo \w+\n$/,
  )
  expect(readFileSync(join(house.repo, 'made.txt'), 'utf8')).toBe('made\n')
  for (const text of [conflict, lost]) {
    expect(text).toMatch(/^All done\.\n[^\n]*nothing was written [^\n]*holdfast apply \w{10}\n$/)
  }
  expect(readFileSync(join(conflicting, 'made.txt'), 'utf8')).toBe('of my own\n')
  expect(existsSync(linked)).toBe(false)
  // They were shown: nobody is owed them any more.
  expect(await house.ok(['inbox'])).toBe('')
})

test('what needs no model is answered without one, and what is wrong is said in words', async () => {
  const house = houseWithCodex(WORK)
  const id = await house.submit(['codex', 'look'], { environment: claude() })
  await house.wait(id)
  const said = async (name: string, args = '') => {
    const reply = await typed(house, name, args)
    expect([name, reply?.decision]).toEqual([name, 'block'])
    return reply?.reason ?? ''
  }
  expect(await said('holdfast:status')).toContain(`${id}  succeeded`)
  expect(await said('codex:result')).toMatch(/^\w+ look\nno session-\d+\nnext: holdfast apply /)
  expect(await said('holdfast:result', '"; touch bad')).toContain('unexpected "touch"')
  expect(await said('holdfast:cancel', id)).toContain('already ended')
  expect(await said('holdfast:inbox')).toContain('nothing')
  expect(await said('holdfast:setup')).toMatch(/^Agents, [\s\S]*^codex .*logged in[\s\S]*^next: /m)
  expect(await said('codex:rescue')).toBe(
    'What should Codex do? Say it after the command: /codex:rescue …',
  )
  expect(await said('holdfast:rescue', '--backgroud x')).toContain('there is no flag --backgroud')
  expect(await typed(house, 'other:status', '')).toBe(undefined)
  expect(existsSync(join(house.repo, 'bad'))).toBe(false)

  // What a model calls is answered beside its own text; arguments come to no template.
  const status = await uses(house, 'Skill', { skill: 'holdfast:status', args: id })
  expect(status?.hookSpecificOutput).toMatchObject({
    permissionDecision: 'allow',
    updatedInput: { skill: 'holdfast:status', args: '' },
    additionalContext: expect.stringContaining(id),
  })
  const skill = await uses(house, 'Skill', { skill: 'holdfast:rescue', args: '$(x) it' })
  expect(skill?.hookSpecificOutput?.updatedInput).toEqual({ skill: 'holdfast:rescue', args: '' })
  const question = skill?.hookSpecificOutput?.additionalContext ?? ''
  const [fresh, resumed, ...more] = linesIn(question)
  expect([fresh, more]).toEqual([resumed?.replace(/--resume$/, '--fresh'), []])
  expect(question).toContain(
    '"Start a new Codex thread (Recommended)" and "Continue current Codex thread"',
  )
  const goOn = await typed(house, 'codex:rescue', 'keep going')
  expect(goOn?.hookSpecificOutput?.additionalContext).toContain(
    '"Continue current Codex thread (Recommended)" and "Start a new Codex thread"',
  )
  expect(await uses(house, 'Bash', { command: resumed })).not.toBe(undefined)
  const { session } = await house.task(id)
  // It goes on in a new worktree, from what is here now.
  expect(await bash(house, resumed ?? '')).toContain(`yes ${session}\n`)
  expect(await bash(house, resumed ?? '')).toContain(`yes ${session}\n`)
  expect(JSON.parse(await house.ok(['status', '--all', '--json'])).tasks).toHaveLength(2)
  const asked = { subagent_type: 'codex:codex-rescue', prompt: 'do `it`', isolation: 'worktree' }
  const agent = await uses(house, 'Agent', asked, {}, 'codex')
  // Another plugin may bear the name: only our own answers to it.
  expect(await uses(house, 'Agent', asked)).toBe(undefined)
  // Nobody can be asked there: it begins anew unless a flag says otherwise.
  const { prompt, ...rest } = agent?.hookSpecificOutput?.updatedInput ?? {}
  expect(rest).toEqual({ subagent_type: 'codex:codex-rescue', isolation: 'worktree' })
  expect(linesIn(String(prompt))).toHaveLength(1)
  expect(prompt).not.toContain('do `it`')
  expect(await uses(house, 'Agent', { subagent_type: 'Explore', prompt: 'x' })).toBe(undefined)
  // Nor does a model choose which conversation goes to another provider.
  for (const denied of [
    { skill: 'holdfast:rescue' },
    { skill: 'holdfast:transfer', args: '--source /other.jsonl go on' },
    { skill: 'holdfast:transfer', args: 'go on --source="/other.jsonl"' },
  ]) {
    const reply = await uses(house, 'Skill', denied)
    expect([denied, reply?.hookSpecificOutput?.permissionDecision]).toEqual([denied, 'deny'])
  }

  // A session that is itself the agent of a task hands nothing on.
  const inside = { HOLDFAST_ATTEMPT: `${id}.1.abc` }
  const again = await typed(house, 'codex:rescue', 'the same', inside)
  expect(again?.reason).toContain(`itself the agent of the Holdfast task ${id}`)
  const calling = { tool_name: 'Agent', tool_input: asked }
  const nested = await call(house, 'PreToolUse', calling, inside, 'codex')
  expect(nested?.hookSpecificOutput?.permissionDecision).toBe('deny')

  // Where a request cannot be kept, that is said, and not that no hook is at work.
  const kept = join(house.home, 'plugin')
  renameSync(kept, `${kept}.away`)
  writeFileSync(kept, '')
  expect(await said('codex:rescue', '--fresh x')).toMatch(/cannot be written.*free space/)
  rmSync(kept)
  renameSync(`${kept}.away`, kept)

  // A conversation is handed over as it stands.
  const transcript = join(house.scratch, 'transcript.jsonl')
  const spoken = { type: 'user', message: { content: 'the login is broken' } }
  writeFileSync(transcript, `${JSON.stringify(spoken)}\n`)
  // Where that was typed, wherever the model's command stands.
  const handOver = await call(
    house,
    'UserPromptExpansion',
    {
      command_name: 'codex:transfer',
      command_args: '--background --source ./transcript.jsonl',
      cwd: house.scratch,
    },
    {},
    'codex',
  )
  const [handing = ''] = linesIn(handOver?.hookSpecificOutput?.additionalContext)
  const taker = idIn(await bash(house, handing))
  expect(await house.wait(taker)).toMatchObject({ state: 'succeeded' })
  const heard = readFileSync(join(house.worktree(taker), 'prompts.txt'), 'utf8')
  expect(heard).toContain('The user: the login is broken\n</conversation>')

  // A reviewer may only read; while a plan is made, too.
  const nothing = await bash(house, await lineFor(house, 'codex:review', '--base HEAD'))
  expect(nothing).toContain(
    'holdfast: there is nothing to review: HEAD has nothing that HEAD has not',
  )
  house.git('checkout', '--quiet', '-b', 'feature')
  house.git('commit', '--quiet', '--allow-empty', '--all', '--message=second')
  house.write('kept.txt', 'edited\n')
  const line = await lineFor(house, 'codex:adversarial-review', '--scope working-tree the names')
  const command = { command: line }
  const planned = await uses(house, 'Bash', command, { permission_mode: 'plan' })
  expect(planned?.hookSpecificOutput).toMatchObject({ permissionDecision: 'allow' })
  const review = await bash(house, line)
  expect(review).toContain(
    'Adversarial review of uncommitted changes: no verdict (there is no JSON',
  )
  const task = await house.task(idIn(review))
  expect(task).toMatchObject({
    permissions: { asked: 'read-only' },
    review: { kind: 'adversarial', focus: 'the names', target: { scope: 'uncommitted' } },
  })
})

test('what is under way here needs no name to be cancelled, and is stayed with', async () => {
  const house = houseWithCodex(`
until [ -e "$HOME/go" ]; do sleep 0.05; done
begin
finish done
`)
  const said = async (name: string, args = '') => (await typed(house, name, args))?.reason
  expect(await said('codex:cancel')).toContain('nothing of this session is under way')
  await house.submit(['codex', 'of-another'], { environment: claude('session-2') })
  // Behind that one, they end with the asking.
  const id = await house.submit(['codex', 'look'], { environment: claude() })
  expect(await said('codex:status', `${id} --wait --timeout-ms 1`)).toContain('queued')
  // Claude Code tells a server that it starts which session it is of.
  const starter = ['/usr/bin/env', `CLAUDE_CODE_SESSION_ID=${SESSION}`]
  const client = new McpClient(house, {}, house.repo, starter)
  await client.initialize('2025-06-18')
  const delegated = await client.call('delegate', { agent: 'codex', prompt: 'read' })
  const second = delegated.structuredContent.task.id
  await client.leave()
  expect(await said('codex:cancel')).toContain('more than one task of this session')
  await house.ok(['cancel', id])
  // A model has to name it, and is not kept waiting.
  for (const [verb, args, why] of [
    ['cancel', '', 'cancel needs tasks by their names'],
    ['status', `${second} --wait`, 'status has no flag --wait'],
  ]) {
    const reply = await uses(house, 'Skill', { skill: `holdfast:${verb}`, args })
    expect(reply?.hookSpecificOutput?.additionalContext).toContain(why)
  }
  expect(await said('codex:cancel')).toContain(`${second} cancelled`)
  for (const args of ['--wait', `${id} of-another --wait`]) {
    expect(await said('codex:status', args)).toContain('needs one task, by its name')
  }
  expect(await said('codex:status', 'of-another --timeout-ms 9')).toContain('how long to --wait')
  expect(await said('codex:status', 'of-another --wait --timeout-ms 0')).toContain('of-another')
  const waiting = said('codex:status', 'of-another --wait')
  writeFileSync(join(house.scratch, 'go'), '')
  expect(await waiting).toContain('succeeded')
})

test('a session stops after a review of its turn, so often, and whenever we are in trouble', async () => {
  const house = houseWithCodex(`
printf '%s' "$prompt" >"$HOME/asked"
begin
cat "$HOME/answer"
`)
  const answer = (review: object | string) => {
    const text = typeof review === 'string' ? review : JSON.stringify(review)
    const said = { type: 'item.completed', item: { type: 'agent_message', text } }
    const lines = [said, { type: 'turn.completed' }].map(line => `${JSON.stringify(line)}\n`)
    writeFileSync(join(house.scratch, 'answer'), lines.join(''))
  }
  const finding = (severity: string) => ({
    ...{ severity, title: 'It divides by nought', body: 'Where the list is empty.' },
    ...{
      file: 'sum.js',
      line_start: 3,
      line_end: 3,
      confidence: 0.9,
      recommendation: 'Ask first.',
    },
  })
  const reviewed = (verdict: string, ...findings: object[]) =>
    answer({ verdict, summary: 'Read.', findings, next_steps: [] })
  const prompt = () => call(house, 'UserPromptSubmit', { prompt: 'go on' })
  const stop = (stop_hook_active = false) =>
    call(house, 'Stop', { stop_hook_active, last_assistant_message: 'All `done`.' })
  const count = async () => JSON.parse(await house.ok(['status', '--all', '--json'])).tasks.length

  reviewed('needs-attention', finding('high'), finding('low'))
  // It is off, and nobody is asked.
  house.write('before.txt', 'older\n')
  await prompt()
  house.write('sum.js', 'a\n')
  expect(await stop()).toBe(undefined)
  expect(existsSync(house.home)).toBe(false)
  // Only its user sets it, and by typing it.
  const bySkill = { skill: 'holdfast:setup', args: '--enable-review-gate' }
  const denied = await uses(house, 'Skill', bySkill)
  expect(denied?.hookSpecificOutput?.permissionDecision).toBe('deny')
  const byBash = await house.run(['setup', '--enable-review-gate'], { environment: claude() })
  expect([byBash.code, existsSync(house.home)]).toEqual([5, false])
  const on = await typed(house, 'holdfast:setup', '--enable-review-gate')
  expect(on?.reason).toContain('Review gate  on here')
  const settings = JSON.parse(readFileSync(join(house.home, 'config.json'), 'utf8'))
  expect(settings).toEqual({ stopReview: [house.repo] })

  // A turn that changes nothing is not reviewed, whatever is uncommitted.
  await prompt()
  expect(await stop()).toBe(undefined)
  await prompt()
  house.write('sum.js', 'b\n')
  const first = await stop()
  expect([first?.decision, first?.systemMessage]).toEqual(['block', undefined])
  expect(first?.reason).toMatch(/Codex has reviewed .*round 1 of at most 2/)
  expect(first?.reason).toContain('- [high] It divides by nought (sum.js:3)\n')
  expect(first?.reason).not.toContain('[low]')
  const asked = readFileSync(join(house.scratch, 'asked'), 'utf8')
  expect(asked).toContain('\n- sum.js\n')
  expect(asked).not.toContain('before.txt')
  expect(asked).toContain('<said>\nAll `done`.\n</said>')
  const [task] = JSON.parse(await house.ok(['status', '--all', '--json'])).tasks
  expect(task).toMatchObject({ permissions: { effective: 'read-only' }, name: 'review-of-turn' })
  expect(await house.ok(['inbox'])).toBe('')
  // It is a review like any other: it is shown as one, and its findings can be handed on.
  expect(await house.ok(['result', task.id])).toMatch(
    /^Review of uncommitted changes: needs attention\n[\s\S]*^1\. high {2}It divides/m,
  )
  // What the user says in between does not make what was done before it the user's.
  await prompt()
  // The second time is the last, and then its findings stand.
  house.write('sum.js', 'c\n')
  expect((await stop(true))?.reason).toContain('round 2 of at most 2')
  expect((await stop(true))?.systemMessage).toMatch(/^Holdfast: .*changed nothing since its review/)
  await prompt()
  house.write('sum.js', 'd\n')
  expect((await stop())?.decision).toBe('block')
  house.write('sum.js', 'e\n')
  reviewed('approve', finding('low'))
  expect((await stop(true))?.systemMessage).toMatch(/nothing that must be mended; 1 remark: hold/)
  expect(await count()).toBe(4)

  // A grave word without a finding to mend, and trouble of ours, keep nobody.
  const after = async (text: string, act?: () => void) => {
    await prompt()
    house.write('sum.js', text)
    act?.()
    const reply = await stop()
    expect([text, reply?.decision]).toEqual([text, undefined])
    expect(reply?.systemMessage?.split('\n')).toHaveLength(1)
    return reply?.systemMessage
  }
  expect(await after('f\n', () => reviewed('needs-attention'))).toContain('nothing that must be')
  expect(await after('g\n', () => answer('no JSON at all'))).toContain(
    'cannot be read: holdfast res',
  )
  // Nobody waits for an account that is used up, and the review does not outlive the wait for it.
  const limit = "You've hit your usage limit. Try again in 200000 seconds."
  const usedUp = { type: 'turn.failed', error: { message: limit } }
  const parked = await after('limit\n', () => {
    writeFileSync(join(house.scratch, 'answer'), `${JSON.stringify(usedUp)}\n`)
  })
  expect(parked).toContain(`was not reviewed: its review is ended: ${limit}`)
  // The next one would not even begin.
  const held = await after('limit too\n')
  expect(held).toMatch(/its review is ended: the usage limit of codex:\w+ was met, until 2\d{3}-/)
  const { tasks } = JSON.parse(await house.ok(['status', '--all', '--json']))
  const states = tasks.map(({ state }: { state: string }) => state)
  expect(states.filter((state: string) => state !== 'succeeded')).toEqual([
    'cancelled',
    'cancelled',
  ])
  expect(await house.ok(['inbox'])).toBe('')
  const program = join(house.scratch, 'fake-bin', 'codex')
  const gone = await after('h\n', () => renameSync(program, `${program}.away`))
  expect(gone).toContain('was not reviewed: no agent is ready')
  const broken = await after('i\n', () => writeFileSync(join(house.home, 'config.json'), '{'))
  expect(broken).toContain('config.json is no JSON')
})

test('a session is shown once what has ended, another one too, and no task ends with a session', async () => {
  const house = houseWithCodex(`
until [ -e "$HOME/go" ]; do sleep 0.05; done
begin
finish done
`)
  const socket = {
    CLAUDE_CODE_MESSAGING_SOCKET: join(house.scratch, 'none.sock'),
    CLAUDE_CODE_MESSAGING_TOKEN: 'secret-1',
  }
  const environment = { ...claude(), ...socket }
  expect(await call(house, 'SessionStart', { source: 'startup' }, socket)).toBe(undefined)
  expect(await call(house, 'SessionEnd', { reason: 'other' }, socket)).toBe(undefined)
  expect(existsSync(house.home)).toBe(false)
  const id = await house.submit(['codex', 'look'], { environment })
  const callers = join(house.home, 'callers')
  await house.untilState(id, 'running')
  expect(readdirSync(callers)).toHaveLength(1)
  // It goes on as another session, by the same inbox.
  await call(house, 'SessionEnd', { reason: 'clear' }, socket)
  expect(readdirSync(callers)).toHaveLength(1)
  await call(house, 'SessionEnd', { reason: 'prompt_input_exit' }, socket)
  expect(readdirSync(callers)).toEqual([])
  expect((await house.task(id)).state).toBe('running')
  writeFileSync(join(house.scratch, 'go'), '')
  const other = await house.submit(['codex', 'read'])
  for (const one of [id, other]) await house.untilState(one, 'succeeded')

  const told = async (event: string, input: object) => {
    const reply = await call(house, event, input)
    return reply?.hookSpecificOutput?.additionalContext
  }
  const line = `- look (codex) succeeded: holdfast result ${id}`
  // A prompt that no model reads takes nothing with it, and what came by the inbox is told by that.
  expect(await told('UserPromptSubmit', { prompt: '/holdfast:status' })).toBe(undefined)
  expect(await told('UserPromptSubmit', { prompt: `stop ${id} and ${other}` })).toBe(undefined)
  const first = await told('UserPromptSubmit', { prompt: `Holdfast: it ended: ${other}` })
  expect(first?.split('\n').slice(1)).toEqual([line])
  expect(await told('UserPromptSubmit', { prompt: 'hello' })).toBe(undefined)
  const second = { session_id: 'session-2', source: 'startup' }
  const start = await call(house, 'SessionStart', second)
  expect(start?.systemMessage).toBe(start?.hookSpecificOutput?.additionalContext)
  expect(start?.systemMessage).toContain(line)
  expect(await told('SessionStart', second)).toBe(undefined)
  // Elsewhere nobody is told of this repository.
  const elsewhere = { session_id: 'session-3', cwd: house.scratch, source: 'startup' }
  expect(await told('SessionStart', elsewhere)).toBe(undefined)
})

test('where no inbox says it, a hook beside the session waits for the end, and wakes it', async () => {
  const house = houseWithCodex(`
until [ -e "$HOME/go" ]; do sleep 0.05; done
begin
finish done
`)
  const socket = { CLAUDE_CODE_MESSAGING_SOCKET: join(house.scratch, 'none.sock') }
  const environment = claude()
  const id = await house.submit(['codex', 'look'], { environment })
  const heard = await house.submit(['codex', 'hear'], {
    environment: { ...environment, ...socket },
  })
  /** As Claude Code runs it; what it says, and its exit code. */
  const wait = async (tool_response: unknown) => {
    const options = { env: { ...house.environment, ...environment }, cwd: house.repo }
    const child = spawn(process.execPath, [launcher, 'PostToolUse', 'holdfast'], options)
    const said = { session_id: SESSION, cwd: house.repo, tool_name: 'Bash', tool_response }
    child.stdin.end(JSON.stringify(said))
    let text = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', chunk => {
        text += chunk
      })
    }
    const [code] = await once(child, 'close')
    return { code, text }
  }
  const silence = { code: 0, text: '' }
  expect(await wait({ stdout: `${heard}\n` })).toEqual(silence)
  expect(await wait({ stdout: 'abcdefghij k123456789\n' })).toEqual(silence)
  expect(await wait(undefined)).toEqual(silence)
  const waiting = wait({ stdout: `Codex works on it, as ${id}.\n` })
  // What has ended before it looks wakes nobody.
  await eventually('it looks', () =>
    house.processes().some(line => line.includes('PostToolUse') && hasStoreOpen(line)),
  )
  writeFileSync(join(house.scratch, 'go'), '')
  const line = `- look (codex) succeeded: holdfast result ${id}`
  expect(await waiting).toEqual({ code: 2, text: expect.stringContaining(line) })
  // It was told; and what has ended already wakes nobody.
  const prompt = await call(house, 'UserPromptSubmit', { prompt: 'hello' })
  expect(prompt?.hookSpecificOutput?.additionalContext ?? '').not.toContain(id)
  expect(await wait({ stdout: id })).toEqual(silence)
})

/** Of a process as `House.processes` gives it. */
function hasStoreOpen(line: string): boolean {
  const open = `/proc/${Number.parseInt(line, 10)}/fd`
  try {
    return readdirSync(open).some(fd => readlinkSync(join(open, fd)).endsWith('/store.db'))
  } catch {
    return false // It has just opened or closed something, or is gone.
  }
}

test('the launcher finds Holdfast, and is silent where there is none, or nothing to say', () => {
  const house = new House()
  const copy = join(house.scratch, 'cache', 'a', 'b', 'plugin')
  mkdirSync(copy, { recursive: true })
  cpSync(launcher, join(copy, 'hook.cjs'))
  const bin = join(house.scratch, 'bin')
  mkdirSync(bin)
  const input = JSON.stringify({ session_id: 's', cwd: house.repo, command_name: 'holdfast:inbox' })
  const runFor = (event: string, env: Readonly<Record<string, string>>, before: string[] = []) => {
    const options = { env: { ...house.environment, ...env }, input, encoding: 'utf8' } as const
    const words = [...before, join(copy, 'hook.cjs'), event]
    const { status, stdout, stderr } = spawnSync(process.execPath, words, options)
    return { status, stdout, stderr }
  }
  const run = (env: Readonly<Record<string, string>>, ...before: string[]) =>
    runFor('UserPromptExpansion', env, before)
  const silence = { status: 0, stdout: '', stderr: '' }
  // Whoever asks for a worktree is told why there is none.
  const expectNone = (why: RegExp, env: Readonly<Record<string, string>>, ...before: string[]) =>
    expect(runFor('WorktreeCreate', env, before)).toEqual({
      status: 1,
      stdout: '',
      stderr: expect.stringMatching(why),
    })
  expect(run({ PATH: bin })).toEqual(silence)
  expectNone(/^Holdfast: it is not on the PATH/, { PATH: bin })
  symlinkSync(entry, join(bin, 'holdfast'))
  const answer = { status: 0, stdout: expect.stringContaining('"block"'), stderr: '' }
  expect(run({ PATH: bin })).toEqual(answer)
  const pretend = join(house.scratch, 'pretend.cjs')
  for (const [object, key, value] of [
    ['process', 'platform', 'win32'],
    ['process.versions', 'node', '20.1.0'],
  ]) {
    writeFileSync(pretend, `Object.defineProperty(${object}, '${key}', { value: '${value}' })`)
    expect(run({ PATH: bin }, '--require', pretend)).toEqual(silence)
    expectNone(new RegExp(`^Holdfast: it .*this is ${value}`), { PATH: bin }, '--require', pretend)
  }
  for (const directory of ['broken/bin', 'broken/dist']) {
    mkdirSync(join(house.scratch, directory), { recursive: true })
  }
  const broken = { PATH: join(house.scratch, 'broken', 'bin') }
  writeFileSync(join(broken.PATH, 'holdfast.cjs'), "throw new Error('out of order')")
  writeFileSync(join(broken.PATH, '..', 'dist', 'main.cjs'), '')
  symlinkSync('holdfast.cjs', join(broken.PATH, 'holdfast'))
  expect(run(broken)).toEqual(silence)
  expectNone(/^Holdfast: Error: out of order\n$/, broken)
  // One that is older than its plugin knows no hooks; no session fails by that.
  const old = join(house.scratch, 'old')
  mkdirSync(old)
  writeFileSync(join(old, 'holdfast'), '#!/bin/sh\necho "no command hook" >&2\nexit 2\n', {
    mode: 0o755,
  })
  const withOld = { PATH: `${old}:/usr/bin:/bin` }
  expect(run(withOld)).toEqual(silence)
  expect(runFor('PostToolUse', withOld)).toEqual(silence)
  expectNone(/^Holdfast: it failed: no command hook\n$/, withOld)
  const direct = (stdin: string, ...words: string[]) =>
    execFileSync(process.execPath, [entry, 'hook', ...words], {
      env: house.environment,
      input: stdin,
      encoding: 'utf8',
    })
  expect(direct('no JSON', 'SessionStart')).toBe('')
  expect(direct('[]', 'PreToolUse')).toBe('')
  expect(direct('{}', 'NoSuchEvent')).toBe('')
})
