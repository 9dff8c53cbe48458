/** The command line of the Codex plugin, with a Codex of our own making behind it. */
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { eventually } from '../eventually.ts'
import { houseWithCodex } from './fake-codex.ts'
import { entry, type House, type Ran, type RunOptions } from './house.ts'

const shim = fileURLToPath(new URL('../../companion/codex-companion.mjs', import.meta.url))

const REVIEW = {
  verdict: 'needs-attention',
  summary: 'One thing is wrong.',
  findings: [
    {
      severity: 'low',
      title: 'A slip',
      body: 'It slips.',
      file: 'b.ts',
      line_start: 3,
      line_end: 3,
      confidence: 0.5,
      recommendation: '',
    },
    {
      severity: 'high',
      title: 'A hole',
      body: 'It leaks.',
      file: 'a.ts',
      line_start: 1,
      line_end: 2,
      confidence: 0.9,
      recommendation: 'Mend it.',
    },
  ],
  next_steps: ['Mend the hole.'],
}

const FOUND =
  'Verdict: needs-attention\n\nOne thing is wrong.\n\nFindings:\n- [high] A hole (a.ts:1-2)\n  It leaks.\n  Recommendation: Mend it.\n- [low] A slip (b.ts:3)\n'

/**
 * It writes down what it was told, edits where it is told to edit, waits for the file `gate` where it is
 * told to wait, and answers a review in its form.
 */
const CODEX = `
root=$HOLDFAST_HOME/..
{ printf '%s\\n' "$*"; printf '%s\\n--\\n' "$prompt"; } >> "$root/told.$$"
mv "$root/told.$$" "$root/told-$session.$$"
begin
case "$prompt" in
  *edit*) echo edited >> kept.txt
    say '{"type":"item.completed","item":{"type":"file_change","status":"completed","changes":[{"path":"'"$PWD"'/kept.txt","kind":"update"}]}}' ;;
esac
case "$prompt" in *linger*) setsid sleep 600 & sleep 600 & echo $! > "$root/lingering" ;; esac
case "$prompt" in *wait*) until [ -e "$root/gate" ]; do sleep 0.05; done ;; esac
case "$prompt" in *die*) [ -e "$root/died" ] || { touch "$root/died"; kill -9 $$; } ;; esac
case "$prompt" in *break*) fail 'it broke' ;; esac
case "$*" in *--output-schema*) words '${JSON.stringify(JSON.stringify(REVIEW)).slice(1, -1)}'; say '{"type":"turn.completed"}'; exit 0 ;; esac
say '{"type":"item.completed","item":{"type":"reasoning","text":"Let me think."}}'
finish 'It is done.'
`

const makeHouse = () => houseWithCodex(CODEX)

const companion = (house: House, words: readonly string[], options: RunOptions = {}) =>
  house.run(['companion', ...words], options)

async function ok(house: House, words: readonly string[], options: RunOptions = {}) {
  const ran = await companion(house, words, options)
  expect({ words, code: ran.code, stderr: ran.code === 0 ? '' : ran.stderr }).toEqual({
    words,
    code: 0,
    stderr: '',
  })
  return ran
}

// biome-ignore lint/suspicious/noExplicitAny: shapes are what is looked at
const json = async (house: House, words: readonly string[], options?: RunOptions): Promise<any> =>
  JSON.parse((await ok(house, [...words, '--json'], options)).stdout)

/** What Codex was told in a thread, and with which arguments; several times in an order of no meaning. */
function toldIn(house: House, thread: string): string {
  const script = 'cat "$1"/told-"$2".*'
  return execFileSync('/bin/sh', ['-c', script, 'sh', house.scratch, thread], { encoding: 'utf8' })
}

const refusal = ({ code, stdout }: Ran) => ({ code, stdout })
const REFUSED = { code: 1, stdout: '' }

const ENTRY = {
  id: expect.stringMatching(/^[a-z][0-9a-z]{9}$/),
  kind: 'task',
  kindLabel: 'rescue',
  title: 'Codex Task',
  jobClass: 'task',
  status: 'completed',
  pid: null,
  threadId: expect.stringMatching(/^session-/),
  sessionId: 'claude-1',
  logFile: expect.stringContaining('/runs/1/stdout'),
  createdAt: expect.any(String),
  updatedAt: expect.any(String),
  startedAt: expect.any(String),
  completedAt: expect.any(String),
  errorMessage: null,
  model: null,
  effort: null,
}

test('each subcommand speaks in the shapes of the original', async () => {
  const house = makeHouse()
  const data = join(house.scratch, 'plugin-data')
  Object.assign(house.environment, {
    CODEX_COMPANION_SESSION_ID: 'claude-1',
    CLAUDE_PLUGIN_DATA: data,
  })
  expect((await ok(house, ['--help'])).stdout).toMatch(/^Usage:\n/)
  expect(await companion(house, ['frobnicate'])).toMatchObject({
    ...REFUSED,
    stderr: 'Unknown subcommand: frobnicate\n',
  })
  expect((await companion(house, ['transfer'])).stderr).toContain('Retry with --source')

  const nothing = await json(house, ['status'])
  expect(nothing).toEqual({
    workspaceRoot: house.repo,
    config: { stopReviewGate: false },
    sessionRuntime: {
      mode: 'direct',
      label: 'holdfast worker',
      detail: expect.any(String),
      endpoint: null,
    },
    running: [],
    latestFinished: null,
    recent: [],
    needsReview: false,
  })
  expect((await ok(house, ['status'])).stdout).toContain('No jobs recorded yet.')
  expect(await json(house, ['task-resume-candidate'])).toEqual({
    available: false,
    sessionId: 'claude-1',
    candidate: null,
  })

  // In the caller's own directory; what is flag-like in the text is text.
  const text = 'edit it, "quoted" \\ $(touch never) and no --model at all'
  const edited = await ok(
    house,
    [`--write --model spark --effort high ${text}`].flatMap(lone => ['task', lone]),
  )
  expect(edited.stdout).toBe('It is done.\n')
  expect(edited.stderr).toContain('[codex] Thread ready (session-')
  expect(house.git('status', '--short')).toBe(' M kept.txt\n')
  const first = await json(house, ['result'])
  const result = {
    status: 0,
    threadId: first.job.threadId,
    rawOutput: 'It is done.',
    touchedFiles: ['kept.txt'],
    reasoningSummary: ['Let me think.'],
  }
  const recorded = {
    ...ENTRY,
    workspaceRoot: house.repo,
    summary: text,
    write: true,
    model: 'gpt-5.3-codex-spark',
    effort: 'high',
  }
  expect(first).toEqual({
    job: recorded,
    storedJob: { ...recorded, result, rendered: 'It is done.\n' },
  })
  const told = toldIn(house, first.job.threadId)
  expect(told).toContain(text)
  expect(told).toContain('-m gpt-5.3-codex-spark')
  expect(told).toContain('model_reasoning_effort="high"')
  expect(told).toContain('sandbox_mode="workspace-write"')
  expect((await ok(house, ['result', first.job.id.slice(0, 6)])).stdout).toBe(
    `It is done.\n\nCodex session ID: ${first.job.threadId}\nResume in Codex: codex resume ${first.job.threadId}\n`,
  )

  // The thread goes on, read-only and with another prompt; nothing of the model is set.
  const candidate = await json(house, ['task-resume-candidate'])
  expect(candidate).toEqual({
    available: true,
    sessionId: 'claude-1',
    candidate: {
      id: first.job.id,
      status: 'completed',
      title: 'Codex Task',
      summary: text,
      threadId: first.job.threadId,
      completedAt: expect.any(String),
      updatedAt: expect.any(String),
    },
  })
  const resumed = await json(house, ['task', '--resume-last', 'and now?'])
  expect(resumed).toEqual({ ...result, touchedFiles: [] })
  const again = toldIn(house, first.job.threadId)
  expect(again).toContain('exec resume')
  expect(again).toContain('and now?')
  expect(again).toContain('sandbox_mode="read-only"')
  expect(again).not.toContain('interrupted')
  expect(again.match(/-m gpt/g)).toHaveLength(1)

  // One that dies is told the prompt once more: nobody knows whether it has heard it.
  expect(await json(house, ['task', '--resume', 'die once'])).toMatchObject({ status: 0 })
  const died = toldIn(house, first.job.threadId)
  expect(died.match(/die once/g)).toHaveLength(2)
  expect(died.match(/You were interrupted/g)).toHaveLength(1)

  const failing = await companion(house, ['task', '--task', 'break it'])
  expect(failing).toMatchObject({ code: 1, stdout: 'it broke (model_error)\n' })

  const background = await json(house, ['task', '--background', '--prompt-file', '.gitignore'])
  expect(background).toEqual({
    jobId: expect.any(String),
    status: 'queued',
    title: 'Codex Task',
    summary: 'ignored.env',
    logFile: expect.any(String),
  })
  const waited = await json(house, ['status', background.jobId, '--wait', '--timeout-ms', '200000'])
  const job = { ...ENTRY, workspaceRoot: house.repo, summary: 'ignored.env', write: false }
  expect(waited).toEqual({
    workspaceRoot: house.repo,
    job: {
      ...job,
      phase: 'done',
      progressPreview: [],
      elapsed: expect.any(String),
      duration: expect.any(String),
      apply: null,
    },
    waitTimedOut: false,
    timeoutMs: 200_000,
  })
  const asText = await companion(house, ['task', '--background'], { input: 'from stdin' })
  const id = /started in the background as (\S+)\. Check \/codex:status \1 for/.exec(
    asText.stdout,
  )?.[1]
  await ok(house, ['status', id ?? '', '--wait'])

  const all = await json(house, ['status', '--all'])
  expect(all.recent).toHaveLength(5)
  expect((await ok(house, ['status'])).stdout).toMatch(
    /Latest finished:\n- \S+ \| completed \| rescue \| Codex Task\n {2}Summary: from stdin\n/,
  )

  // Reviews.
  expect((await companion(house, ['review', 'Look here'])).stderr).toContain(
    'does not support custom focus',
  )
  expect((await companion(house, ['review', '--scope', 'all'])).stderr).toContain(
    'Unsupported review scope "all"',
  )
  expect(refusal(await companion(house, ['review', '--base', 'nowhere']))).toEqual(REFUSED)
  const review = await json(house, ['review'])
  expect(review).toEqual({
    review: 'Review',
    target: { mode: 'working-tree', label: 'working tree diff', explicit: false },
    threadId: expect.stringMatching(/^session-/),
    sourceThreadId: null,
    codex: { status: 0, stderr: '', stdout: expect.stringContaining(FOUND), reasoning: [] },
  })
  expect(toldIn(house, review.threadId)).toContain('+edited\n')
  house.git('checkout', '--quiet', '-b', 'feature')
  house.git('commit', '--quiet', '--all', '--message=second')
  const shown = (await ok(house, ['review', '--effort', 'low'])).stdout
  expect(shown).toContain(`# Codex Review\n\nTarget: branch diff against trunk\n\n${FOUND}`)
  const doubt = await json(house, [
    'adversarial-review',
    '--background',
    '--base',
    'trunk',
    'the "locks"',
  ])
  await ok(house, ['status', doubt.jobId, '--wait'])
  const { storedJob } = await json(house, ['result', doubt.jobId])
  expect(storedJob).toMatchObject({ kind: 'adversarial-review', jobClass: 'review', write: false })
  expect(storedJob.result).toEqual({
    review: 'Adversarial Review',
    target: {
      mode: 'branch',
      label: 'branch diff against trunk',
      baseRef: 'trunk',
      explicit: true,
    },
    threadId: storedJob.threadId,
    context: {
      repoRoot: house.repo,
      branch: 'feature',
      summary: 'Reviewing branch feature against trunk.',
    },
    codex: { status: 0, stderr: '', stdout: JSON.stringify(REVIEW), reasoning: [] },
    result: REVIEW,
    rawOutput: JSON.stringify(REVIEW),
    parseError: null,
    reasoningSummary: [],
  })
  expect(storedJob.rendered).toContain(FOUND)
  expect(toldIn(house, storedJob.threadId)).toContain('the "locks"')

  // What was said to Claude is the beginning of a thread.
  const lines = [
    { type: 'user', message: { content: 'Where is the "hole"?' } },
    { type: 'assistant', message: { content: [{ type: 'text', text: 'In a.ts.' }] } },
  ]
  house.write('../abc-1.jsonl', lines.map(line => `${JSON.stringify(line)}\n`).join(''))
  const source = { environment: { CODEX_COMPANION_TRANSCRIPT_PATH: '../abc-1.jsonl' } }
  const { threadId, ...transferred } = await json(house, ['transfer'], source)
  expect(transferred).toEqual({
    resumeCommand: `codex resume ${threadId}`,
    sourcePath: join(house.scratch, 'abc-1.jsonl'),
    sessionId: 'abc-1',
  })
  expect(toldIn(house, threadId)).toContain('The user: Where is the "hole"?\n\nClaude: In a.ts.')
  expect((await json(house, ['task-resume-candidate'])).candidate).toMatchObject({ threadId })

  // The gate is where the plugin's own hook looks for it; of our jobs that hook finds none to end.
  expect(existsSync(data)).toBe(false)
  const setup = await json(house, ['setup', '--enable-review-gate'])
  expect(setup).toEqual({
    ready: true,
    node: { available: true, detail: process.version },
    npm: { available: expect.any(Boolean), detail: expect.any(String) },
    codex: { available: true, detail: expect.stringContaining('0.169.0') },
    auth: {
      available: true,
      loggedIn: true,
      detail: expect.any(String),
      source: 'codex',
      authMethod: null,
      verified: null,
      requiresOpenaiAuth: false,
      provider: null,
    },
    sessionRuntime: expect.objectContaining({ mode: 'direct' }),
    reviewGateEnabled: true,
    actionsTaken: [`Enabled the stop-time review gate for ${house.repo}.`],
    nextSteps: [],
  })
  const states = join(data, 'state')
  const written = execFileSync('find', [states, '-type', 'f'], { encoding: 'utf8' }).trim()
  expect(written).toMatch(/\/state\/mein-Pr-jekt-[0-9a-f]{16}\/state\.json$/)
  expect(JSON.parse(readFileSync(written, 'utf8'))).toEqual({
    version: 1,
    config: { stopReviewGate: true },
    jobs: [],
  })
  writeFileSync(
    written,
    '{"version":1,"config":{"stopReviewGate":true,"own":1},"jobs":[{"id":"x"}]}',
  )
  expect((await ok(house, ['setup', '--disable-review-gate'])).stdout).toContain(
    '- review gate: disabled',
  )
  expect(JSON.parse(readFileSync(written, 'utf8'))).toEqual({
    version: 1,
    config: { stopReviewGate: false, own: 1 },
    jobs: [{ id: 'x' }],
  })
})

test('a job that runs is said to run, is not lost with its session, and is ended with all that it started', async () => {
  const house = makeHouse()
  const session = (id: string): RunOptions => ({
    environment: { CODEX_COMPANION_SESSION_ID: id },
  })
  const other = join(house.scratch, 'other tree')
  house.git('worktree', 'add', '--quiet', '--detach', other)

  // Its caller is killed with all of its process group while it waits.
  const caller = house.start(['companion', 'task', 'wait', 'and', 'linger'], session('one'))
  const running = await eventually('the job runs', async () => {
    const { running: jobs } = await json(house, ['status'], session('one'))
    return jobs[0]?.threadId && existsSync(join(house.scratch, 'lingering')) && jobs[0]
  })
  process.kill(-(caller.pid ?? Number.NaN), 'SIGKILL')
  expect(running).toMatchObject({ status: 'running', sessionId: 'one', duration: null })
  expect(running.pid).toBe(house.pid(running.id))

  // Another session has none; by its id anybody finds it, from anywhere.
  expect(await json(house, ['status'], session('two'))).toMatchObject({ running: [] })
  for (const directory of [other, '/']) {
    const { job } = await json(house, ['status', running.id], { directory, ...session('two') })
    expect(job).toMatchObject({ id: running.id, status: 'running' })
  }
  // Without a session it is found by its repository, of which the other tree is one.
  expect((await json(house, ['status'], { directory: other })).running).toHaveLength(1)

  const early = await companion(house, ['result', running.id])
  expect(early).toMatchObject({
    ...REFUSED,
    stderr: `Job ${running.id} is still running. Check /codex:status and try again once it finishes.\n`,
  })
  const waited = await json(house, ['status', running.id, '--wait', '--timeout-ms', '1'])
  expect(waited).toMatchObject({ waitTimedOut: true, timeoutMs: 1, job: { status: 'running' } })
  expect((await companion(house, ['status', '--wait'])).stderr).toBe(
    '`status --wait` requires a job id.\n',
  )
  const resume = await companion(house, ['task', '--resume', 'go on'], session('one'))
  expect(resume).toMatchObject({
    ...REFUSED,
    stderr: `Task ${running.id} is still running. Use /codex:status before continuing it.\n`,
  })
  for (const [words, why] of [
    [['task', '--resume', '--fresh', 'x'], 'Choose either --resume/--resume-last or --fresh.'],
    [
      ['task', '--effort', 'most', 'x'],
      'Unsupported reasoning effort "most". Use one of: none, minimal, low, medium, high, xhigh.',
    ],
    [['task'], 'Provide a prompt, a prompt file, piped stdin, or use --resume-last.'],
    [['task', '--model'], 'Missing value for --model'],
    [['result', 'nowhere'], 'No job found for "nowhere". Run /codex:status to list known jobs.'],
    [['cancel', 'nowhere'], 'No job found for "nowhere". Run /codex:status to list known jobs.'],
    [
      ['setup', '--enable-review-gate', '--disable-review-gate'],
      'Choose either --enable-review-gate or --disable-review-gate.',
    ],
  ] as const) {
    expect(await companion(house, words)).toMatchObject({ ...REFUSED, stderr: `${why}\n` })
  }
  const none = await companion(house, ['task', '--resume', 'go on'], session('two'))
  expect(none.stderr).toBe('No previous Codex task thread was found for this session.\n')
  expect((await companion(house, ['cancel'], session('two'))).stderr).toBe(
    'No active Codex jobs to cancel for this session.\n',
  )

  expect(await json(house, ['cancel'], session('one'))).toEqual({
    jobId: running.id,
    status: 'cancelled',
    title: 'Codex Task',
    turnInterruptAttempted: true,
    turnInterrupted: true,
  })
  await eventually('nothing of it is left', () =>
    house.processes().every(line => !line.includes('sleep 600')),
  )
  expect((await companion(house, ['cancel', running.id])).stderr).toBe(
    `No active job found for "${running.id}".\n`,
  )
  expect((await ok(house, ['result', running.id])).stdout).toContain('Cancelled by user.')
})

test('twelve that are handed in at once are all there', async () => {
  const house = makeHouse()
  const session = { CODEX_COMPANION_SESSION_ID: 'many' }
  const words = ['task', '--background', '--json', 'wait for it']
  const launched = await Promise.all(
    Array.from({ length: 12 }, () => ok(house, words, { environment: session })),
  )
  const ids = launched.map(({ stdout }) => JSON.parse(stdout).jobId).sort()
  expect(new Set(ids).size).toBe(12)
  // The hook at a session's end has nothing of them: they are found, as many as they are.
  const { running, latestFinished } = await json(house, ['status'], { environment: session })
  // biome-ignore lint/suspicious/noExplicitAny: a shape
  expect(running.map(({ id }: any) => id).sort()).toEqual(ids)
  expect(latestFinished).toBeNull()
  expect((await companion(house, ['cancel'], { environment: session })).stderr).toBe(
    'Multiple Codex jobs are active. Pass a job id to /codex:cancel.\n',
  )
  writeFileSync(join(house.scratch, 'gate'), '')
  await house.run(['cancel', '--all'])
  const open = async () => (await json(house, ['status'], { environment: session })).running
  await eventually('all are over', async () => (await open()).length === 0)
})

test('it works in place, but where somebody may delete that; from there the change is brought back', async () => {
  const house = makeHouse()
  const kept = (directory: string) => readFileSync(join(directory, 'kept.txt'), 'utf8')
  const original = kept(house.repo)
  const passing = join(house.repo, '.claude/worktrees/agent-1')
  house.git('worktree', 'add', '--quiet', '--detach', passing)
  const gate = join(house.scratch, 'gate')
  const workplaceOf = async (id: string) => (await house.task(id)).worktree?.kind

  const brought = await ok(house, ['task', '--write', 'edit'], { directory: passing })
  expect(brought.stderr).toContain('It works in a worktree of its own')
  expect(brought.stderr).toContain(`Brought 1 file back to ${passing}.`)
  expect(kept(passing)).toBe(`${original}edited\n`)
  expect(kept(house.repo)).toBe(original)

  // Nobody waits for it.
  const alone = await json(house, ['task', '--write', '--background', 'edit'], {
    directory: passing,
  })
  const taken = async () => (await house.task(alone.jobId)).taken
  await eventually('it is brought back', taken)
  expect(kept(passing)).toBe(`${original}edited\nedited\n`)

  // Something changes there meanwhile: nothing is written, and what to do is said last.
  const following = house.start(['companion', 'task', '--write', 'edit and wait'], {
    directory: passing,
  })
  let said = ''
  following.stderr?.on('data', chunk => {
    said += chunk
  })
  const ended = new Promise(resolve => following.on('close', resolve))
  const job = await eventually('it waits', async () => {
    const { running } = await json(house, ['status'])
    return (
      running[0]?.progressPreview.some((line: string) => line.includes('File changes')) &&
      running[0]
    )
  })
  house.write('meanwhile.txt', 'mine\n', passing)
  writeFileSync(gate, '')
  expect(await ended).toBe(0)
  expect(kept(passing)).toBe(`${original}edited\nedited\n`)
  expect(said.trimEnd().split('\n').at(-1)).toBe(`Take them with: holdfast apply ${job.id}`)
  expect((await ok(house, ['result', job.id])).stdout).toContain(
    `Take its changes: holdfast apply ${job.id}\n`,
  )
  await house.ok(['apply', job.id, '--to', passing])
  expect(kept(passing)).toBe(`${original}edited\nedited\nedited\n`)

  // One writer in a place: the second has a worktree, and what it did is offered.
  execFileSync('rm', [gate])
  const one = await json(house, ['task', '--write', '--background', 'wait and edit'])
  const two = await ok(house, ['task', '--write', '--background', '--json', 'wait and edit'])
  expect(two.stderr).toContain(`is in use by task ${one.jobId}`)
  const { jobId } = JSON.parse(two.stdout)
  // Whatever the first has done by now: it is not as the second found it.
  house.write('meanwhile.txt', 'mine\n')
  writeFileSync(gate, '')
  await house.ok(['wait', one.jobId, jobId])
  expect(await workplaceOf(one.jobId)).toBe('borrowed')
  expect(await workplaceOf(jobId)).toBe('managed')
  // Who waits to bring it back says why it did not, and is gone then.
  const isLeft = () => house.processes().some(line => line.includes('bring-back'))
  await eventually('nobody waits for it any more', () => !isLeft())
  expect(await house.ok(['logs', jobId])).toContain(`not brought back: ${house.repo} has changed`)
  expect((await json(house, ['status', jobId])).job.apply).toBe(`holdfast apply ${jobId}`)
  expect((await json(house, ['status', one.jobId])).job.apply).toBeNull()
})

test('the script that stands in for the original hands all over, from wherever it is found', async () => {
  const house = makeHouse()
  const plugin = join(house.scratch, 'plugin/scripts')
  mkdirSync(plugin, { recursive: true })
  const linked = join(plugin, 'codex-companion.mjs')
  symlinkSync(shim, linked)
  const call = (script: string, words: readonly string[], path = house.environment.PATH) => {
    try {
      const options = {
        cwd: house.repo,
        env: { ...house.environment, PATH: path },
        encoding: 'utf8',
      } as const
      const stdout = execFileSync(process.execPath, [script, ...words], {
        ...options,
        stdio: 'pipe',
      })
      return { code: 0, stdout, stderr: '' }
    } catch (error) {
      const { status, stdout, stderr } = error as {
        status: number
        stdout: string
        stderr: string
      }
      return { code: status, stdout, stderr }
    }
  }
  expect(call(linked, ['task', 'a "b" $(c)']).stdout).toBe('It is done.\n')
  // Not the beginning of an id, as a lone letter may be.
  const unknown = ['result', 'no-such-job']
  expect(call(linked, unknown)).toMatchObject({ code: 1, stdout: '' })
  // As the original's commands have it, where a shell puts in what was typed.
  const line = 'node "${CLAUDE_PLUGIN_ROOT}/scripts/codex-companion.mjs" task "$ARGUMENTS"'
  const typed = execFileSync('/bin/sh', ['-c', line], {
    cwd: house.repo,
    env: { ...house.environment, CLAUDE_PLUGIN_ROOT: dirname(plugin), ARGUMENTS: 'a "b" --c' },
    encoding: 'utf8',
    stdio: 'pipe',
  })
  expect(typed).toBe('It is done.\n')
  // A copy finds it on the PATH.
  const copy = join(plugin, 'copy.mjs')
  writeFileSync(copy, readFileSync(shim))
  const bin = join(house.scratch, 'bin')
  mkdirSync(bin)
  const installed = join(bin, 'holdfast')
  writeFileSync(installed, `#!/bin/sh\nexec '${process.execPath}' '${entry}' "$@"\n`)
  chmodSync(installed, 0o755)
  expect(call(copy, ['result', '--json'], `${bin}:${house.environment.PATH}`)).toMatchObject({
    code: 0,
  })
  expect(call(copy, unknown, `${bin}:${house.environment.PATH}`)).toMatchObject({ code: 1 })
  const missing = call(copy, ['status'], '/nowhere')
  expect(missing).toMatchObject({ code: 1, stdout: '' })
  expect(missing.stderr).toContain('npm install --global holdfast')
})
