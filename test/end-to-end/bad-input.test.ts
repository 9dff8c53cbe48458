/** What is refused: a clear message, the right exit code, the next step, and nothing half made. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { House, PATIENCE, type RunOptions } from './house.ts'

/** What a refusal may leave: nothing in the repository, no task directory. */
async function expectRefused(
  house: House,
  words: readonly string[],
  code: number,
  says: RegExp,
  options: RunOptions = {},
): Promise<void> {
  const refs = existsSync(house.repo) ? house.git('for-each-ref') : ''
  const run = await house.run(words, options)
  expect({ words, code: run.code, stdout: run.stdout, stderr: run.stderr }).toEqual({
    words,
    code,
    stdout: '',
    stderr: expect.stringMatching(says),
  })
  expect(run.stderr).not.toContain('unexpected:')
  const tasks = join(house.home, 'tasks')
  expect(existsSync(tasks) ? readdirSync(tasks) : []).toEqual([])
  if (existsSync(house.repo)) expect(house.git('for-each-ref')).toBe(refs)
}

const program = ['run', 'command', '--', 'true']

test('a directory that is no repository', async () => {
  const house = new House()
  await expectRefused(house, program, 5, /not a git repository/, { directory: house.scratch })
})

test('a repository without a commit', async () => {
  const house = new House()
  const empty = join(house.scratch, 'empty')
  mkdirSync(empty)
  house.gitIn(empty, 'init', '--quiet')
  await expectRefused(house, program, 5, /no commit/, { directory: empty })
})

test('a directory that was deleted under the caller', async () => {
  const house = new House()
  const gone = join(house.scratch, 'gone')
  mkdirSync(gone)
  const script = `cd ${gone}; rmdir ${gone}; exec ${process.execPath} "$0" run command --permissions full -- true`
  const { entry } = await import('./house.ts')
  const { execFile } = await import('node:child_process')
  const run = await new Promise<{ code: unknown; stderr: string }>(resolve => {
    execFile('/bin/sh', ['-c', script, entry], { env: house.environment }, (error, _, stderr) =>
      resolve({ code: error?.code, stderr }),
    )
  })
  expect(run.code).toBe(5)
  expect(run.stderr).toMatch(/gone|deleted|not a git repository/)
})

test('an agent that is missing, and one that nobody knows', async () => {
  const house = new House()
  const environment = { PATH: '/usr/bin:/bin' }
  await expectRefused(house, ['run', 'codex', 'x'], 6, /codex.*\n.*npm install/s, { environment })
  const none = /no agent is ready \(not installed: codex, claude.*\n.*npm install.*holdfast agents/
  await expectRefused(house, ['run', 'x'], 6, none, { environment })
  // Of one that is there, what keeps it is said, and what mends that.
  const bin = join(house.scratch, 'bin')
  house.write('codex', '#!/bin/sh\necho codex-cli 0.20.0\n', bin)
  chmodSync(join(bin, 'codex'), 0o755)
  const old = { environment: { PATH: `${bin}:/usr/bin:/bin` } }
  const why = /ready \(codex 0\.20\.0 .*; not installed: claude, .*\n(?!.*install one).*codex/
  await expectRefused(house, ['run', 'x'], 6, why, old)
  await expectRefused(house, ['run', '-a', 'nobody', 'x'], 2, /no agent "nobody"/)
  await expectRefused(house, ['run', 'command', '--', 'no-such-program'], 6, /no-such-program/)
})

test('an agent that is too old', async () => {
  const house = new House()
  const bin = join(house.scratch, 'bin')
  house.write('codex', '#!/bin/sh\necho codex-cli 0.20.0\n', bin)
  chmodSync(join(bin, 'codex'), 0o755)
  const environment = { PATH: `${bin}:/usr/bin:/bin` }
  await expectRefused(house, ['run', 'codex', 'x'], 6, /0\.20\.0/, { environment })
})

/** A Codex that is found, new enough and logged in, and never run: what is refused comes before. */
function withCodex(house: House): RunOptions {
  const bin = join(house.scratch, 'bin')
  house.write('codex', '#!/bin/sh\necho codex-cli 0.169.0\n', bin)
  chmodSync(join(bin, 'codex'), 0o755)
  return { environment: { PATH: `${bin}:/usr/bin:/bin`, CODEX_API_KEY: 'k' } }
}

test('prompts that are none', async () => {
  const house = new House()
  const options = withCodex(house)
  const stdin = (input: string | Uint8Array) => ({ ...options, input })
  await expectRefused(house, ['run', 'codex', ''], 2, /prompt is empty/, options)
  await expectRefused(house, ['run', 'codex', '-'], 2, /prompt is empty/, stdin(' \n '))
  await expectRefused(house, ['run', '-a', 'codex', '-'], 2, /NUL byte at offset 2/, stdin('ab\0c'))
  const latin = new Uint8Array([0x66, 0xfc, 0x72])
  await expectRefused(house, ['run', '-a', 'codex', '-'], 2, /not valid UTF-8/, stdin(latin))
  const long = 'x'.repeat(1_048_576)
  await expectRefused(house, ['run', '-a', 'codex', '-'], 2, /takes at most \d+/, stdin(long))
  const file = ['run', 'codex', '--prompt-file', 'no-such-file']
  await expectRefused(house, file, 2, /prompt file cannot be read/, options)
  const quote = /more than one prompt: "two" and "words"\n.*: holdfast run codex "fix/
  await expectRefused(house, ['run', 'codex', 'two', 'words'], 2, quote, options)
  await expectRefused(house, ['run', 'codex', '--model'], 2, /--model needs a value/, options)
  await expectRefused(house, ['run', 'codex', '--fix it'], 2, /after --/, options)
  await expectRefused(house, ['run', 'codex', 'x', '--permissions', 'all'], 2, /none of/, options)
})

test('output schemas that are none', async () => {
  const house = new House()
  const options = withCodex(house)
  const refused = (file: string, about: RegExp, agent = 'codex') =>
    expectRefused(house, ['run', agent, 'x', '--output-schema', file], 2, about, options)
  house.write('torn.json', '{"type": ')
  house.write('list.json', '[]')
  house.write('long.json', JSON.stringify({ description: 'x'.repeat(100_000) }))
  house.write('sound.json', '{"type":"object"}')
  await refused('no-such.json', /no-such\.json cannot be read/)
  await refused('torn.json', /torn\.json is no JSON/)
  await refused('list.json', /is no object/)
  await refused('long.json', /is longer than 100000 bytes/)
  await refused('sound.json', /pi cannot be held to an output schema/, 'pi')
  const fallback = ['run', 'codex', 'x', '--output-schema', 'sound.json', '--fallback', 'pi']
  await expectRefused(house, fallback, 2, /pi cannot be held/, options)
})

test('a program without its dashes', async () => {
  const house = new House()
  await expectRefused(house, ['run', 'command', 'true'], 2, /run command -- npm test/)
  await expectRefused(house, ['run', 'command', '--'], 2, /needs a program/)
})

test('commands and flags that do not exist', async () => {
  const house = new House()
  await expectRefused(house, ['fix', 'it'], 2, /no command "fix"\n {2}holdfast --help/)
  await expectRefused(house, ['stauts'], 2, /did you mean: holdfast status\?/)
  await expectRefused(house, ['status', '--nothing'], 2, /no flag --nothing\n {2}holdfast status/)
  await expectRefused(house, ['run', '--modle', 'x', 'y'], 2, /did you mean: --model\?/)
  await expectRefused(house, ['status', '--agent', 'cloude'], 2, /no agent "cloude"/)
  await expectRefused(house, ['help', 'stauts'], 2, /did you mean: holdfast status\?/)
  expect(await house.ok(['help', 'status'])).toBe(await house.ok(['status', '--help']))
  await expectRefused(house, ['run', '--undo', 'x'], 2, /no flag --undo/)
  await expectRefused(house, ['wait', '--timeout', 'soon'], 2, /no duration/)
  await expectRefused(house, ['cancel'], 2, /needs tasks by their names/)
})

test('tasks that are not there, and a prefix that fits two', async () => {
  const house = new House()
  for (const command of ['status', 'wait', 'result', 'logs', 'diff', 'cancel']) {
    await expectRefused(house, [command, 'nowhere'], 4, /no task "nowhere"/, { directory: '/' })
  }
  await expectRefused(house, ['result'], 4, /no task of this caller/)
  const ids: string[] = []
  const firsts = new Set<string>()
  // Ids are random: some two of 23 begin with the same letter.
  for (;;) {
    const id = await house.submitScript('true')
    ids.push(id)
    if (firsts.has(id.charAt(0))) break
    firsts.add(id.charAt(0))
  }
  const twice = ids.at(-1)?.charAt(0) ?? ''
  const run = await house.run(['status', twice])
  expect(run.code).toBe(2)
  expect(run.stderr).toMatch(/could be more than one task\n.*type more of it/)
  expect((await house.run(['wait', ...ids, '--timeout', PATIENCE])).code).toBe(0)
})

test('changes that are too many are refused, with the largest named', async () => {
  const house = new House()
  for (let i = 0; i < 20_001; i++) writeFileSync(join(house.repo, `f${i}`), '')
  house.write('big.bin', 'x'.repeat(3_000_000))
  await expectRefused(house, program, 5, /20,?000[\s\S]*big\.bin[\s\S]*\.gitignore/)
})

test('a state directory that cannot be written', async () => {
  const house = new House()
  const file = join(house.scratch, 'a-file')
  writeFileSync(file, '')
  const environment = { HOLDFAST_HOME: join(file, 'home') }
  await expectRefused(house, program, 7, /HOLDFAST_HOME/, { environment })
  await expectRefused(house, ['status'], 7, /HOLDFAST_HOME/, { environment })
  await expectRefused(house, ['worker', 'start'], 7, /HOLDFAST_HOME/, { environment })
})

test('a store that is damaged, or newer, is refused and left alone', async () => {
  const house = new House()
  mkdirSync(house.home, { mode: 0o700 })
  writeFileSync(join(house.home, 'store.db'), 'no database '.repeat(500))
  await expectRefused(house, program, 7, /damaged/)
  await expectRefused(house, ['status'], 7, /damaged/)
  const doctor = await house.run(['doctor', '--json'])
  expect(doctor.code).toBe(1)
  expect(JSON.parse(doctor.stdout).findings).toContainEqual(
    expect.objectContaining({
      check: 'store',
      status: 'error',
      repair: expect.objectContaining({ plan: expect.stringContaining('keep the damaged one') }),
    }),
  )
  rmSync(join(house.home, 'store.db'))
})

test('with --json a refusal is a document on stdout, and the same exit code', async () => {
  const house = new House()
  const { code, stdout } = await house.run(['status', 'nowhere', '--json'])
  expect(code).toBe(4)
  expect(JSON.parse(stdout)).toEqual({
    error: { code: 'no_such_task', message: expect.any(String), hint: expect.any(String) },
  })
})

test('what cannot be carried is said before the task starts', async () => {
  const house = new House()
  const nested = join(house.repo, 'nested')
  mkdirSync(nested)
  house.gitIn(nested, 'init', '--quiet')
  house.write('file', 'x', nested)
  symlinkSync('/nowhere', join(house.repo, 'dangling'))
  const { code, stdout, stderr } = await house.run(['run', 'command', '--', 'readlink', 'dangling'])
  expect(code).toBe(0)
  expect(stderr).toMatch(/left out: .*nested/)
  expect((await house.wait(stdout.trim())).result?.answer).toBe('/nowhere')
})

test('an agent’s name alone is no prompt, and a flag that would do nothing is refused', async () => {
  const house = new House()
  const options = withCodex(house)
  await expectRefused(house, ['run', 'codex'], 2, /alone is an agent.*\n.*run -- codex/, options)
  await expectRefused(house, ['run', 'command'], 2, /needs a program/)
  await expectRefused(house, ['run', 'codex', 'x', '--retry-on-crash'], 2, /does nothing/, options)
  const model = ['run', 'command', '--model', 'm', '--', 'true']
  await expectRefused(house, model, 2, /--model does nothing for the agent command/)
})

test('words that a command does not take are refused, after -- too', async () => {
  const house = new House()
  for (const command of ['status', 'result', 'logs', 'diff']) {
    await expectRefused(house, [command, 'one', '--', 'two'], 2, /unexpected "two"/)
  }
  await expectRefused(house, ['status', '--', 'nowhere'], 4, /no task "nowhere"/)
  // What follows -- is no flag of ours.
  await expectRefused(house, ['status', '--', '--json'], 4, /no task "--json"/)
  await expectRefused(house, ['worker', 'run', '--slots', '0'], 2, /--slots 0/)
})

test('doctor finds a fresh install well, makes nothing, and finds a file in its place', async () => {
  const house = new House()
  const doctor = JSON.parse(await house.ok(['doctor', '--json']))
  expect(doctor.findings).toContainEqual({
    check: 'state directory',
    status: 'ok',
    message: `${house.home}; the first task makes it`,
    hint: null,
    repair: null,
  })
  const environment = { PATH: '/usr/bin:/bin' }
  const { findings } = JSON.parse(await house.ok(['doctor', '--json'], { environment }))
  const agents = findings.filter(({ check }: { check: string }) => check.startsWith('agent'))
  expect(agents).toMatchObject([
    {
      check: 'agents',
      status: 'warning',
      message: expect.stringMatching(/^not installed: codex, /),
    },
  ])
  expect(existsSync(house.home)).toBe(false)
  const file = join(house.scratch, 'a-file')
  writeFileSync(file, '')
  const run = await house.run(['doctor', '--json'], { environment: { HOLDFAST_HOME: file } })
  expect(run.code).toBe(1)
  expect(JSON.parse(run.stdout).findings[0]).toMatchObject({
    status: 'error',
    message: `the state directory ${file} is no directory`,
  })
})
