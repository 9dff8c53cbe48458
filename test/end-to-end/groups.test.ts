/** Groups and `--verify`, with the built program. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { GroupDiffView, GroupView } from '../../src/surfaces/view.ts'
import { eventually } from '../eventually.ts'
import { processesOf } from '../processes-of.ts'
import { houseWithCodex } from './fake-codex.ts'
import { House, PATIENCE } from './house.ts'
import { Points } from './points.ts'

const script = (text: string) => ['--', '/bin/sh', '-c', text]

test('a race: all hold the same base, one wins, and the others come back to the byte', async () => {
  const house = new House({ HOLDFAST_SLOTS: '3' })
  house.makeDirty()
  const work = `printf '%s\\n' "$HOLDFAST_ATTEMPT" >made.txt; cat 'untracked ü.txt' >>made.txt`
  const words = [
    ...['run', 'command', '--best-of', '3', '--name', 'race', '--idempotency-key', 'k'],
    ...['--verify', `grep -q mine made.txt`, '--wait', '--json'],
  ]
  const first = await house.run([...words, ...script(work)])
  expect([first.code, first.stderr]).toEqual([0, expect.stringContaining('race-command-3')])
  const { group, name, picked, tasks } = JSON.parse(first.stdout) as GroupView
  expect([name, picked, group]).toEqual(['race', [], expect.stringMatching(/^race:[a-z0-9]{10}$/)])
  expect(tasks.map(task => [task.name, task.state, task.group, task.verify?.state])).toEqual(
    ['race-command', 'race-command-2', 'race-command-3'].map(one => [
      one,
      'succeeded',
      group,
      'passed',
    ]),
  )
  expect(new Set(tasks.map(({ base }) => JSON.stringify(base))).size).toBe(1)
  expect(tasks[0]?.base.changes).toMatchObject({ modified: 2, untracked: 1 })
  // Handed in again, it is that group; for fewer of them, the key is refused.
  const again = await house.ok([...words.filter(word => word !== '--wait'), ...script(work)])
  expect((JSON.parse(again) as GroupView).tasks.map(({ id }) => id)).toEqual(
    tasks.map(({ id }) => id),
  )
  const fewer = await house.run([
    ...words.map(word => (word === '3' ? '2' : word)),
    ...script(work),
  ])
  expect([fewer.code, fewer.stderr]).toEqual([5, expect.stringContaining('another request')])

  expect(await house.ok(['wait', 'race'])).toMatch(/race-command-3 .*verified/)
  const table = (await house.ok(['diff', 'race'])).split('\n')
  expect(Math.max(...table.map(line => line.length))).toBeLessThanOrEqual(80)
  expect(table[1]).toMatch(/^ {2}command +succeeded +passed +1 file \+2 -0 +\d+[sm] +–$/)
  const compared = JSON.parse(await house.ok(['diff', group, '--json'])) as GroupDiffView
  expect(compared.tasks.map(one => [one.files, one.insertions, one.verify])).toEqual(
    Array.from({ length: 3 }, () => [1, 2, 'passed']),
  )
  // A command for one task says which there are.
  for (const command of ['result', 'apply', 'pick', 'logs']) {
    const { code, stderr } = await house.run([command, 'race'])
    expect([command, code, stderr]).toEqual([
      command,
      2,
      expect.stringContaining('race-command, race-command-2, race-command-3'),
    ])
  }

  const [winner, second = winner] = tasks
  if (winner === undefined || second === undefined) throw new Error('a group has tasks')
  const tree = house.worktree(second.id)
  const made = readFileSync(join(tree, 'made.txt'))
  const head = house.git('rev-parse', 'HEAD').trim()
  const before = house.git('status', '--porcelain')
  const outcome = JSON.parse(await house.ok(['pick', 'race-command', '--json']))
  expect(outcome).toMatchObject({ state: 'picked', from: head, others: [{}, {}] })
  expect(outcome.others.map(({ became }: { became: string }) => became)).toEqual([
    'put_away',
    'put_away',
  ])
  expect(house.git('show', 'HEAD:made.txt')).toMatch(new RegExp(`^${winner.id}`))
  expect(existsSync(tree)).toBe(false)
  const listed = JSON.parse(await house.ok(['status', '--json'])).tasks
  expect(listed.map(({ id }: { id: string }) => id)).toEqual([winner.id])
  expect(await house.task(second.id)).toMatchObject({ picked: false, taken: null })
  expect(await house.task(winner.id)).toMatchObject({ picked: true })
  expect(await house.ok(['diff', 'race'])).toMatch(/^\* command /m)

  await house.ok(['restore', 'race-command-2'])
  expect(readFileSync(join(tree, 'made.txt'))).toEqual(made)
  await house.ok(['pick', '--undo', 'race-command'])
  expect([house.git('rev-parse', 'HEAD').trim(), house.git('status', '--porcelain')]).toEqual([
    head,
    before,
  ])
  expect(await house.task(second.id)).toMatchObject({ picked: null })
  expect((await house.run(['pick', '--undo', 'race-command'])).code).toBe(5)
  expect(JSON.parse(await house.ok(['status', '--json'])).tasks.length).toBe(3)
})

test('what still runs goes on when another is picked, until its end is asked for; cancel ends a group', async () => {
  const house = new House({ HOLDFAST_SLOTS: '3' })
  const work = `echo x >made.txt; mkdir "${house.scratch}/won" || exec sleep 300`
  const group = (
    await house.ok(['run', 'command', '--best-of', '2', '--name', 'race', ...script(work)])
  ).trim()
  const { tasks } = JSON.parse(
    await house.ok(['wait', group, '--any', '--timeout', PATIENCE, '--json']),
  )
  const winner = tasks.find((task: { state: string }) => task.state === 'succeeded')
  const other = tasks.find((task: { id: string }) => task.id !== winner.id)
  await eventually('it has begun', () => existsSync(join(house.worktree(other.id), 'made.txt')))
  await house.untilState(other.id, 'running')
  const after = await house.submitScript('true', '--after', 'race')
  expect((await house.task(after)).reason).toBe(`waits for ${other.id}`)
  const picked = await house.run(['pick', winner.id])
  expect([picked.code, picked.stderr]).toEqual([0, expect.stringContaining('which goes on')])
  expect(await house.task(other.id)).toMatchObject({ state: 'running', picked: false })
  expect(await house.ok(['cancel', 'race'])).toMatch(new RegExp(`^${other.id} cancelled`))
  expect((await house.run(['cancel', 'race'])).code).toBe(5)
  expect((await house.task(after)).error?.code).toBe('dependency_failed')
  // Once more is no mistake, and puts away what has ended meanwhile.
  expect((await house.run(['pick', winner.id])).stderr).toContain(`holdfast restore ${other.id}`)
})

test('a verification that hangs ends with its task, by cancel and by limit, and outlives a worker', async () => {
  const house = new House({ HOLDFAST_SLOTS: '4' })
  const verify = (seconds: number) => `sh -c 'echo begun; sleep ${seconds}; echo never'`
  const submit = (name: string, ...flags: string[]) =>
    house.submitScript('echo x >x.txt', '--name', name, ...flags)
  const hangs = await submit('hangs', '--verify', verify(3001))
  const long = await submit('long', '--verify', verify(3002), '--verify-timeout', '1s')
  const lost = await submit('lost', '--verify', verify(3004))
  const killed = await submit('killed', '--verify', "sh -c 'kill -9 $PPID'")
  const limited = await submit('limited', '--verify', verify(3003), '--timeout', '2s')
  expect(await house.wait(long)).toMatchObject({
    error: { code: 'verify_failed' },
    verify: { state: 'failed', how: 'it did not end within 1 s' },
    result: { files: 1 },
  })
  expect(await house.wait(killed)).toMatchObject({
    error: { hint: expect.stringContaining('verify/1.3/stderr') },
    verify: { state: 'unknown' },
  })
  expect(await house.wait(limited)).toMatchObject({ error: { code: 'timed_out' } })
  const sleeping = (seconds: number) =>
    processesOf(house.scratch).find(
      line => /^\d+ (sleep \d+)/.exec(line)?.[1] === `sleep ${seconds}`,
    )
  await eventually('they are verified', () => sleeping(3001) && sleeping(3004))
  expect((await house.task(hangs)).reason).toMatch(/^verifying: /)
  await house.killWorkers()
  rmSync(house.worktree(lost), { recursive: true })
  // It is nobody's child, and the next worker waits for the same one.
  const sleeper = await eventually('it runs', () => sleeping(3001))
  await house.ok(['worker', 'start'])
  await eventually('somebody attends to it', async () => {
    const { worker } = JSON.parse(await house.ok(['status', '--json']))
    return worker.state === 'running'
  })
  // What ends otherwise than by its verification leaves nothing of that, nor loses what was collected.
  expect(await house.wait(lost)).toMatchObject({
    error: { code: 'worktree_lost' },
    result: { files: 1 },
  })
  expect(sleeping(3004)).toBeUndefined()
  expect(processesOf(house.scratch).includes(sleeper)).toBe(true)
  await house.ok(['cancel', hangs])
  expect(processesOf(house.scratch).includes(sleeper)).toBe(false)
  expect(await house.task(hangs)).toMatchObject({
    state: 'cancelled',
    result: { files: 1 },
    verify: { state: 'unknown', how: 'it was ended with its task' },
  })
})

test('a worktree that is lost between two looks at it leaves nothing of the verification there', async () => {
  const points = new Points()
  const { house } = points
  const id = await house.submitScript('echo x >x.txt', '--verify', 'sleep 3005')
  const sleeping = () => processesOf(house.scratch).some(line => /^\d+ sleep 3005/.test(line))
  await eventually('it is verified', sleeping)
  await house.killWorkers()
  // The next worker finds the agent gone and all in its place, and is about to judge that.
  points.stand('settle.stopped')
  await house.ok(['worker', 'start'])
  await eventually('it stands there', () => points.isReached('settle.stopped'))
  rmSync(house.worktree(id), { recursive: true })
  points.go('settle.stopped')
  expect(await house.wait(id)).toMatchObject({
    error: { code: 'worktree_lost' },
    result: { files: 1 },
    verify: { state: 'unknown' },
  })
  expect(sleeping()).toBe(false)
})

test('the agent is told once what failed, in its own session; a second failure is the end, with its evidence', async () => {
  const house = houseWithCodex(`begin
if [ "$resumed" = yes ]; then printf '%s' "$prompt" >told.txt; [ -e ../../mend ] && echo good >state.txt
else echo bad >state.txt; fi
finish 'All done.'`)
  house.environment.HOLDFAST_TALK = 'one-shot'
  const verify = ['--verify', 'grep -q good state.txt', '--permissions', 'full']
  const hopeless = await house.submit(['codex', 'do it', '--name', 'hopeless', ...verify])
  expect(await house.wait(hopeless)).toMatchObject({
    state: 'failed',
    attempt: 2,
    error: { code: 'verify_failed', hint: expect.stringContaining('verify/2.1/stderr') },
    verify: { state: 'failed', how: 'exit code 1', failedBefore: 1 },
    result: { files: 2, answer: 'All done.' },
  })
  const told = readFileSync(join(house.worktree(hopeless), 'told.txt'), 'utf8')
  for (const words of ['grep -q good state.txt', 'exit code 1', 'It printed nothing.']) {
    expect(told).toContain(words)
  }
  expect(told).not.toContain('interrupted')
  writeFileSync(join(house.home, 'mend'), '')
  const mended = await house.submit(['codex', 'do it', ...verify])
  expect(await house.wait(mended)).toMatchObject({
    state: 'succeeded',
    attempt: 2,
    verify: { state: 'passed', failedBefore: 1 },
  })
  const evidence = await house.evidence(mended)
  expect(evidence.timeline.map(({ text }) => text).filter(text => /verified:/.test(text))).toEqual([
    'not verified: grep -q good state.txt: exit code 1',
    'verified: grep -q good state.txt',
  ])
})

/** Its repository names a check, which the first work of every task does not pass. */
function houseWithCheck() {
  const house = houseWithCodex(`begin
if [ "$resumed" = yes ]; then echo good >../state.txt; else echo bad >../state.txt; fi
finish 'All done.'`)
  house.write('inner/kept.txt', '')
  // Not executable, and there from the top alone.
  house.write('check', '[ -e kept.txt ] && grep -q "$1" state.txt && exit\necho not yet; exit 1\n')
  house.write('good', 'what it is given to look at, an agent may change\n')
  house.write('holdfast.json', '{ "verify": "check \'good\'", "verifySeconds": 60 }')
  house.git('add', '.')
  house.git('commit', '--quiet', '--message=check')
  const inner = { directory: join(house.repo, 'inner') }
  const run = (...flags: string[]) =>
    house.run(['run', 'codex', 'do it', '--permissions', 'full', ...flags], inner)
  const submit = async (...flags: string[]) => {
    const { code, stdout, stderr } = await run(...flags)
    expect([code, stderr]).toEqual([0, expect.any(String)])
    return { id: stdout.trim(), stderr }
  }
  return { house, run, submit }
}

test('a repository names its check: once it is trusted, the work of every agent has to pass it', async () => {
  const { house, submit } = houseWithCheck()
  const untrusted = await submit()
  expect(untrusted.stderr).toContain('verify is not run: /bin/sh ./check good is not trusted')
  expect(await house.wait(untrusted.id)).toMatchObject({
    state: 'succeeded',
    verify: { state: 'not_run', how: 'not trusted' },
  })
  expect(await house.ok(['logs', untrusted.id])).toContain('not verified: ')

  expect(await house.ok(['trust', '--yes'])).toMatch(/this verification .*\n\n {2}check good\n/)
  house.write('good', 'changed\n')
  const checked = await submit()
  expect(checked.stderr).toContain('verify: /bin/sh ./check good')
  expect(await house.wait(checked.id)).toMatchObject({
    state: 'succeeded',
    attempt: 2,
    verify: { state: 'passed', failedBefore: 1, limitMs: 60_000 },
  })
  await house.ok(['trust', '--revoke'])
  const following = (await house.ok(['send', checked.id, 'and more'])).trim()
  expect(await house.wait(following)).toMatchObject({
    state: 'succeeded',
    verify: { state: 'not_run', how: 'not trusted' },
  })
})

test('whoever asks verifies otherwise than the repository says, or not at all', async () => {
  const { house, run, submit } = houseWithCheck()
  await house.ok(['trust', '--yes'])
  const key = ['--idempotency-key', 'k']
  const [none, own] = [await submit('--no-verify', ...key), await submit('--verify', 'true')]
  expect(await run(...key)).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('another request'),
  })
  expect(await house.wait(none.id)).toMatchObject({ state: 'succeeded', verify: null })
  expect(await house.wait(own.id)).toMatchObject({
    attempt: 1,
    verify: { command: ['true'], limitMs: 60_000 },
  })
  // It verifies what agents do.
  const script = await house.submitScript('true')
  expect(await house.wait(script)).toMatchObject({ state: 'succeeded', verify: null })
  expect((await run('--verify', 'true', '--no-verify')).code).toBe(2)
  // What cannot be read is told to whoever would use it.
  house.write('holdfast.json', '{ "verify": "npm test && true" }')
  for (const refused of [await run(), await house.run(['trust'])]) {
    expect(refused).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('means something to a shell'),
    })
  }
  expect((await submit('--no-verify', ...key)).id).toBe(none.id)
})

test('what is said while the work is verified ends that, and its agent goes on with it at once', async () => {
  const house = houseWithCodex(`begin
[ "$resumed" = yes ] && printf '%s' "$prompt" >heard.txt
finish 'All done.'`)
  const verify = ['--verify', "sh -c '[ -e heard.txt ] || exec sleep 3006'"]
  const id = await house.submit(['codex', 'do it', '--permissions', 'full', ...verify])
  const sleeping = () => processesOf(house.scratch).some(line => /^\d+ sleep 3006/.test(line))
  await eventually('it is being verified', sleeping)
  await house.ok(['send', id, 'and this'])
  expect(await house.wait(id)).toMatchObject({
    state: 'succeeded',
    attempt: 2,
    verify: { state: 'passed', failedBefore: 0 },
    messages: { unheard: 0 },
  })
  expect(await house.ok(['logs', id])).toContain('no longer verified: it was told more')
  expect(readFileSync(join(house.worktree(id), 'heard.txt'), 'utf8')).toBe('and this')
  expect(sleeping()).toBe(false)
})
