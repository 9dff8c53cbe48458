/** What readies a new worktree before its agent starts. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { views } from '../../src/surfaces/view.ts'
import { confinedTest, visibleParent } from '../confined.ts'
import { eventually } from '../eventually.ts'
import { entry, House } from './house.ts'

test('included files and directories are there for the agent, and neither in the result nor kept for longer', async () => {
  const house = new House()
  house.write('.gitignore', 'ignored.env\nbuilt/\n')
  house.write('built/deep/output', 'built\n')
  const directories = { built: 'copy', none: 'clone', skipped: 'skip' }
  house.write('holdfast.json', JSON.stringify({ directories }))
  house.write('.worktreeinclude', 'ignored.env\n')
  house.write('ignored.env', 'SECRET=hunter2\n')
  const run = await house.run([
    'run',
    'command',
    '--',
    'sh',
    '-c',
    'cat ignored.env built/deep/output; : > .gitignore; echo work > work.txt; ls "$HOLDFAST_HOME"/tasks/*',
  ])
  expect(run.stderr).toContain('included: 1 ignored file')
  expect(run.stderr).toContain('brought along: built (copy)')
  const id = run.stdout.trim()
  const task = await house.wait(id)
  expect(task.setUp).toEqual({
    included: { files: 1, bytes: 15, leftOut: [] },
    command: null,
    cleanUp: null,
    directories: [
      { path: 'built', way: 'copy' },
      { path: 'none', way: 'clone' },
    ],
  })
  expect(task.result?.answer).toContain('SECRET=hunter2\nbuilt\n')
  expect(await house.ok(['logs', id])).toContain(
    `none: not brought along: none is no directory in ${house.repo}`,
  )
  expect(task.result?.answer).toContain('included.json')
  const patch = await house.ok(['diff', id])
  expect(patch.match(/^\+\+\+ .*/gm)).toEqual(['+++ b/.gitignore', '+++ b/work.txt'])
  const directory = join(house.home, 'tasks', id)
  await house.untilForgotten(id)
  expect(readdirSync(directory).filter(name => name.startsWith('included'))).toEqual([])
  expect(statSync(join(house.home, 'set-up', id)).mode & 0o777).toBe(0o600)
  const packed = house.git('cat-file', '--batch-all-objects', '--batch-check=%(objectname)')
  for (const object of packed.trim().split('\n')) {
    expect(house.git('cat-file', '-p', object)).not.toContain('hunter2')
  }
})

test('they are taken when the task is handed in: the checkout may be gone when it starts', async () => {
  const house = new House()
  const linked = join(house.scratch, 'linked')
  house.git('worktree', 'add', '--quiet', '--detach', linked)
  house.write('.worktreeinclude', 'ignored.env\n', linked)
  house.write('ignored.env', 'SECRET=1\n', linked)
  const gate = await house.submitScript('touch under-way; while [ ! -e go ]; do sleep 0.05; done')
  const words = ['command', '--after', gate, '--', 'cat', 'ignored.env']
  const id = await house.submit(words, { directory: linked })
  const kept = join(house.home, 'tasks', id, 'included')
  expect(statSync(kept).mode & 0o777).toBe(0o600)
  expect(readFileSync(kept, 'utf8')).toBe('SECRET=1\n')
  rmSync(linked, { recursive: true })
  await house.underWay(gate)
  house.write('go', '', house.worktree(gate))
  expect((await house.wait(id)).result?.answer).toBe('SECRET=1')
  await house.untilForgotten(id)
  expect(existsSync(kept)).toBe(false)
})

test('what is too much is named by run, and changes no task', async () => {
  const house = new House()
  house.write('.gitignore', 'big/\n')
  house.write('.worktreeinclude', 'big/\n')
  house.write('holdfast.json', '{ "include": { "maxFiles": 1 } }')
  house.write('big/one', '1')
  house.write('big/two', '2')
  const run = await house.run(['run', 'command', '--', 'ls', 'big'])
  expect(run.stderr).toContain('left out: big/: 2 files, 2 B is too much to include')
  expect((await house.wait(run.stdout.trim())).state).toBe('failed')
})

/** A house whose repository names a set-up, and has its script committed. */
function houseWithSetUp(
  script: string,
  setting: unknown = 'tools/set up.sh',
  house = new House(),
): House {
  house.write('tools/set up.sh', script)
  house.write('holdfast.json', JSON.stringify({ setup: setting }))
  house.write('.gitignore', 'ignored.env\nmade\n')
  house.git('add', '.')
  house.git('commit', '--quiet', '--message=set-up')
  return house
}

function setUpLog(house: House, id: string): string {
  const log = join(house.runDirectory(id), 'set-up.log')
  return existsSync(log) ? readFileSync(log, 'utf8') : ''
}

test('a set-up that is not trusted does not run, which is said by run, log and JSON', async () => {
  const house = houseWithSetUp('touch made\n')
  const run = await house.run(['run', 'command', '--', 'ls'])
  expect(run.stderr).toContain('set-up is not run: tools/set up.sh is not trusted')
  expect(run.stderr).toContain('holdfast trust')
  const id = run.stdout.trim()
  const task = await house.wait(id)
  expect(task.setUp?.command).toEqual({
    argv: ['tools/set up.sh'],
    scripts: ['tools/set up.sh'],
    trusted: false,
  })
  expect(task.result?.answer).not.toContain('made')
  expect(await house.ok(['logs', id])).toContain(
    'set-up is not run: tools/set up.sh is not trusted',
  )
})

test('once it is trusted it runs before the agent, in the worktree, with what it may rely on', async () => {
  const script = `#!/bin/bash
set -euo pipefail
cd "$(dirname "\${BASH_SOURCE[0]}")/.."
echo "$PWD $HOLDFAST_TASK $HOLDFAST_WORKTREE $CODEX_WORKTREE_PATH $CODEX_SOURCE_TREE_PATH $HOLDFAST_PORT"
echo ready > made
`
  const house = houseWithSetUp(script)
  const shown = await house.ok(['trust', '--yes'])
  for (const line of script.trimEnd().split('\n')) expect(shown).toContain(`  | ${line}\n`)
  const words = [
    'run',
    'command',
    '--',
    'sh',
    '-c',
    'cat ../made; echo "[$HOLDFAST_WORKTREE] $HOLDFAST_PORT"; echo 2 > work',
  ]
  const from = { directory: join(house.repo, 'tools'), environment: { HOLDFAST_PORT: '1' } }
  const run = await house.run(words, from)
  expect(run.stderr).toContain('set-up: tools/set up.sh')
  const id = run.stdout.trim()
  const task = await house.wait(id)
  expect(task).toMatchObject({ state: 'succeeded', setUp: { command: { trusted: true } } })
  const port = task.worktree?.port
  expect(port).toBeGreaterThanOrEqual(23_000)
  expect(task.result).toMatchObject({ answer: `ready\n[] ${port}`, files: 1 })
  const tree = house.worktree(id)
  expect(setUpLog(house, id)).toBe(`${tree} ${id} ${tree} ${tree} ${house.repo} ${port}\n`)
  expect(await house.ok(['logs', id])).toMatch(
    /try 1 \(fresh\): set-up \(tools\/set up\.sh\), then command/,
  )
})

test('trust is for the content: a changed script, command or interpreter is not trusted', async () => {
  const house = houseWithSetUp('touch made\n', ['sh', 'tools/set up.sh'])
  const isTrusted = async () =>
    views.trust.parse(JSON.parse((await house.run(['trust', '--json'])).stdout)).trusted
  expect((await house.run(['trust', '--json'])).code).toBe(5)
  await house.ok(['trust', '--yes'])
  expect(await isTrusted()).toBe(true)
  house.write('tools/set up.sh', 'touch made again\n')
  expect(await isTrusted()).toBe(false)
  house.write('tools/set up.sh', 'touch made\n')
  expect(await isTrusted()).toBe(true)
  house.write('holdfast.json', '{ "setup": ["bash", "tools/set up.sh"] }')
  expect(await isTrusted()).toBe(false)
  const linked = join(house.scratch, 'linked')
  house.git('worktree', 'add', '--quiet', '--detach', linked)
  const from = { directory: linked }
  expect(JSON.parse(await house.ok(['trust', '--json'], from))).toMatchObject({ trusted: true })
  const list = views.trustList.parse(JSON.parse(await house.ok(['trust', '--list', '--json'])))
  expect(list.trusted).toMatchObject([{ argv: ['sh', 'tools/set up.sh'] }])
  expect(statSync(join(house.home, 'trust.json')).mode & 0o777).toBe(0o600)
  await house.ok(['trust', '--revoke'])
  expect((await house.run(['trust', '--json'], from)).code).toBe(5)
})

test('at a terminal it asks, and shows nothing that a terminal obeys', async () => {
  const house = houseWithSetUp('echo \u001b[8mhidden\u001b[0m \u202eturned\n')
  const answer = async (text: string) => {
    const command = `${process.execPath} ${entry} trust`
    const child = spawn('script', ['-qec', command, '/dev/null'], {
      cwd: house.repo,
      env: house.environment,
    })
    let said = ''
    child.stdout.on('data', chunk => {
      said += chunk
    })
    await eventually('it asks', () => said.includes('[y/N]'))
    child.stdin.write(text)
    const [code] = await once(child, 'close')
    return { code, said }
  }
  const no = await answer('\n')
  expect(no.code).toBe(5)
  expect(no.said).toContain('echo \\u{1b}[8mhidden\\u{1b}[0m \\u{202e}turned')
  expect(no.said).toContain('it is not trusted')
  expect((await answer('y\n')).code).toBe(0)
  expect((await house.run(['trust'])).stderr).toContain('you trust this already')
})

test('what runs is what was trusted at submission, whatever became of it since', async () => {
  const house = houseWithSetUp('echo trusted\n', ['tools/set up.sh', 'tools/argument'])
  house.write('tools/argument', 'an argument\n')
  await house.ok(['trust', '--yes'])
  const gate = await house.submitScript('touch under-way; while [ ! -e go ]; do sleep 0.05; done')
  const id = await house.submit(['command', '--after', gate, '--', 'true'])
  house.write('tools/set up.sh', 'echo other\n')
  house.write('holdfast.json', '{ "setup": ["echo", "other"] }')
  await house.ok(['trust', '--revoke'])
  await house.underWay(gate)
  house.write('go', '', house.worktree(gate))
  expect((await house.wait(id)).state).toBe('succeeded')
  expect(setUpLog(house, id)).toBe('trusted\n')
})

test('a script that is not the same in the worktree is run as it was trusted', async () => {
  const house = houseWithSetUp('cat "$1"\n', ['ignored.env', 'kept.txt'])
  // Ignored: it is not in the worktree at all. And no interpreter is named in it.
  house.write('ignored.env', 'echo kept; cat "$1"\n')
  await house.ok(['trust', '--yes'])
  const id = await house.submit(['command', '--', 'true'])
  expect((await house.wait(id)).state).toBe('succeeded')
  expect(setUpLog(house, id)).toBe('kept\none\ntwo\nthree\n')
  expect(existsSync(join(house.worktree(id), 'ignored.env'))).toBe(false)
})

test('one that fails is an outcome of its own, with its last words; resume does it again', async () => {
  const house = houseWithSetUp(
    'echo first; echo half > half.txt; [ -e "$HOME/mended" ] || { echo no luck >&2; exit 3; }\n',
  )
  await house.ok(['trust', '--yes'])
  const id = await house.submitScript('echo the agent')
  const task = await house.wait(id)
  expect(task).toMatchObject({ state: 'failed', attempt: 1, error: { code: 'setup_failed' } })
  expect(task.error?.message).toBe('set-up failed (exit code 3): first · no luck')
  expect(task.error?.hint).toContain(join(house.runDirectory(id), 'set-up.log'))
  expect(task.result).toMatchObject({ answer: null, commit: null, files: 0 })
  writeFileSync(join(house.scratch, 'mended'), '')
  const again = (await house.ok(['resume', id])).trim()
  expect(await house.wait(again)).toMatchObject({
    state: 'succeeded',
    result: { answer: 'the agent' },
  })
})

test('one that fails for want of an ignored file says so; one that does not end is ended', async () => {
  const house = houseWithSetUp('cat ./ignored.env\n')
  house.write('ignored.env', 'SECRET=1\n')
  await house.ok(['trust', '--yes'])
  const lacking = (await house.wait(await house.submitScript('true'))).error
  expect(lacking?.code).toBe('setup_failed')
  expect(lacking?.message).toContain('ignored.env')
  expect(lacking?.hint).toContain(
    `ignored.env is ignored in ${house.repo}, and did not come along: name it in .worktreeinclude`,
  )
  house.write('.worktreeinclude', 'ignored.env\n')
  expect(await house.wait(await house.submitScript('true'))).toMatchObject({ state: 'succeeded' })

  house.write('tools/set up.sh', 'echo begun; sleep 1000 & sleep 1000\n')
  house.write('holdfast.json', '{ "setup": "tools/set up.sh", "setupSeconds": 1 }')
  await house.ok(['trust', '--yes'])
  const id = await house.submitScript('echo the agent')
  const { state, attempt, error } = await house.wait(id)
  expect([state, attempt, error?.code]).toEqual(['failed', 1, 'setup_failed'])
  expect(error?.message).toMatch(/^set-up did not end within 1 s, its limit: /)
  expect(error?.hint).toContain(join(house.runDirectory(id), 'set-up.log'))
  expect(house.processes().filter(line => line.includes('sleep 1000'))).toEqual([])
})

const slowly = 'echo begun; while [ ! -e "$HOME/go" ]; do sleep 0.05; done; echo over > made'

test('the task is starting while it runs; a worker that is killed meanwhile changes nothing', async () => {
  const house = houseWithSetUp(slowly)
  await house.ok(['trust', '--yes'])
  const id = await house.submitScript('cat made')
  await eventually('it has begun', () => setUpLog(house, id) !== '')
  expect(await house.task(id)).toMatchObject({
    state: 'starting',
    reason: 'set-up: tools/set up.sh',
  })
  process.kill(await house.workerPid(), 'SIGKILL')
  expect(await house.task(id)).toMatchObject({ state: 'starting', attempt: 1 })
  writeFileSync(join(house.scratch, 'go'), '')
  expect(await house.wait(id)).toMatchObject({
    state: 'succeeded',
    attempt: 1,
    result: { answer: 'over' },
  })
})

test('cancel ends it with all that it started', async () => {
  const house = houseWithSetUp(`echo half > half.txt; sleep 1000 & ${slowly}`)
  await house.ok(['trust', '--yes'])
  const id = await house.submitScript('echo the agent')
  await eventually('it has begun', () => setUpLog(house, id) !== '')
  await house.ok(['cancel', id])
  expect(await house.task(id)).toMatchObject({
    state: 'cancelled',
    result: { answer: null, commit: null, files: 0 },
  })
  expect(house.processes().filter(line => line.includes('sleep 1000'))).toEqual([])
})

test('killed, it is done again, and done once when the agent is resumed', async () => {
  const house = houseWithSetUp(`echo "run" >> "$HOME/runs"; ${slowly}`)
  await house.ok(['trust', '--yes'])
  const runs = () => readFileSync(join(house.scratch, 'runs'), 'utf8')
  const words = ['command', '--retry-on-crash', '--', 'sh', '-c']
  const id = await house.submit([
    ...words,
    'touch under-way; until [ -e go ]; do sleep 0.05; done; cat made',
  ])
  await eventually('it has begun', () => setUpLog(house, id) !== '')
  const shell = Number.parseInt(
    readFileSync(join(house.runDirectory(id), 'set-up.pid'), 'utf8'),
    10,
  )
  process.kill(shell, 'SIGKILL')
  await eventually('it is tried again', () => existsSync(house.runDirectory(id, 2)))
  writeFileSync(join(house.scratch, 'go'), '')
  await house.underWay(id)
  expect(runs()).toBe('run\nrun\n')
  process.kill(house.pid(id, 'pid', 2), 'SIGKILL')
  // After it: the agent ends by itself where it finds this.
  house.write('go', '', house.worktree(id))
  expect(await house.wait(id)).toMatchObject({ state: 'succeeded', attempt: 3 })
  expect(runs()).toBe('run\nrun\n')
})

test('.codex/setup.sh is known; false means none; in-place work is not set up', async () => {
  const house = new House()
  house.write('.codex/setup.sh', 'echo of codex\n')
  chmodSync(join(house.repo, '.codex/setup.sh'), 0o644)
  expect(await house.ok(['trust', '--yes'])).toContain('(.codex/setup.sh)')
  const id = await house.submitScript('true')
  await house.wait(id)
  expect(setUpLog(house, id)).toBe('of codex\n')
  const inPlace = await house.run(['run', 'command', '--in-place', '--', 'true'])
  expect(inPlace.stderr).not.toContain('set-up')
  await house.wait(inPlace.stdout.trim())
  house.write('holdfast.json', '{ "setup": false }')
  const none = await house.run(['run', 'command', '--', 'true'])
  expect(none.stderr).not.toContain('set-up')
  await house.wait(none.stdout.trim())
  house.write('holdfast.json', '{ "setup": "no/such" }')
  const missing = await house.run(['run', 'command', '--', 'true'])
  expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining('setup names no/such') })
})

test('the script in a Codex environment is known, trusted by its text, and run as it stands there', async () => {
  const house = new House()
  const environment = (words: string) =>
    house.write(
      '.codex/environments/environment.toml',
      `version = 1\nname = "mine"\n\n[setup]\nscript = '''\n${words}\n'''\n\n[cleanup]\nscript = ""\n`,
    )
  environment('[[ -n $CODEX_SOURCE_TREE_PATH ]]\necho "ready: $(basename "$PWD")"')
  expect((await house.run(['run', 'command', '--', 'true'])).stderr).toContain('is not trusted')
  const shown = await house.ok(['trust', '--yes'])
  expect(shown).toContain('(.codex/environments/environment.toml)')
  const id = await house.submitScript('true')
  await house.wait(id)
  expect(setUpLog(house, id)).toBe(`ready: ${id}\n`)
  environment('echo something else')
  expect((await house.run(['run', 'command', '--', 'true'])).stderr).toContain('is not trusted')
  house.write('.codex/environments/environment.toml', '[setup\n')
  const torn = await house.run(['run', 'command', '--', 'true'])
  expect(torn).toMatchObject({ code: 2, stderr: expect.stringContaining('environment.toml') })
  await house.run(['wait'])
})

test('a task does not give trust; a store of trust that cannot be read trusts nothing', async () => {
  const house = houseWithSetUp('touch made\n')
  const id = await house.submit(['command', '--', process.execPath, entry, 'trust', '--yes'])
  expect((await house.wait(id)).error?.message).toContain('exit code 5')
  await house.ok(['trust', '--yes'])
  writeFileSync(join(house.home, 'trust.json'), 'torn')
  expect((await house.run(['run', 'command', '--', 'true'])).stderr).toContain('is not trusted')
  expect((await house.run(['trust', '--yes'])).code).toBe(7)
  await house.run(['wait'])
})

const held = ['--permissions', 'read-only'] as const

confinedTest(
  'where the system confines the agent, it confines the set-up too, which may write the worktree',
  async () => {
    const script = `try() { if "$@" 2>/dev/null; then echo "$1 DONE"; else echo "$1 denied"; fi; }
write() { echo mine > "$1"; }; inside() { write made; }; outside() { write "$HOME/outside"; }
secrets() { ls "$HOME/home/tasks" | grep .; }
try inside; try outside; try secrets; echo "$HOLDFAST_TASK"
`
    const house = houseWithSetUp(script, 'tools/set up.sh', new House({}, visibleParent()))
    await house.ok(['trust', '--yes'])
    const id = await house.submit(['command', ...held, '--', 'sh', '-c', 'cat made; echo x > y'])
    const task = await house.wait(id)
    expect(setUpLog(house, id)).toBe(`inside DONE\noutside denied\nsecrets denied\n${id}\n`)
    expect(task.permissions.enforcedBy).toBe('system')
    expect(task.error).toMatchObject({ code: 'command_failed' })
    expect(task.result).toMatchObject({ answer: 'mine', files: 0 })
  },
)

confinedTest(
  'a script that is not in the worktree as it was trusted cannot be run confined',
  async () => {
    const house = houseWithSetUp('', ['sh', 'ignored.env'], new House({}, visibleParent()))
    house.write('ignored.env', 'echo kept\n')
    await house.ok(['trust', '--yes'])
    const id = await house.submit(['command', ...held, '--', 'true'])
    expect((await house.wait(id)).error).toMatchObject({
      code: 'setup_failed',
      message: expect.stringContaining('ignored.env is not in the worktree as it was trusted'),
    })
  },
)

test('for a task that an agent hands in it runs with no more rights than that agent has', async () => {
  const house = houseWithSetUp('touch made\n')
  await house.ok(['trust', '--yes'])
  const words = (...flags: string[]) => [process.execPath, entry, 'run', 'codex', ...flags, 'do it']
  const bin = join(house.scratch, 'bin')
  house.write('codex', '#!/bin/sh\n[ "$1" = --version ] && echo codex-cli 0.169.0\nexit 0\n', bin)
  chmodSync(join(bin, 'codex'), 0o755)
  const environment = { PATH: `${bin}:${house.environment.PATH}` }
  const id = await house.submit(['command', '--', ...words('--json')], { environment })
  const handedIn = views.task.parse(JSON.parse((await house.wait(id)).result?.answer ?? ''))
  expect(handedIn).toMatchObject({ agent: 'codex', permissions: { enforcedBy: 'agent' } })
  expect(handedIn.setUp?.command?.trusted).toBe(false)
  const full = await house.submit(['command', '--', ...words('--json', '--permissions', 'full')], {
    environment,
  })
  const another = views.task.parse(JSON.parse((await house.wait(full)).result?.answer ?? ''))
  expect(another.setUp?.command?.trusted).toBe(true)
  await house.run(['wait', handedIn.id, another.id])
})
