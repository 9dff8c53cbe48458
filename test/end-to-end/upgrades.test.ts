/** What runs while its programs are replaced. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { STORE_VERSION } from '../../src/store/open.ts'
import { eventually } from '../eventually.ts'
import { ageStore } from '../store/older-store.ts'
import { houseWithCodex } from './fake-codex.ts'
import { House } from './house.ts'

test('an upgraded worker adopts the tasks that an older version started', async () => {
  const house = new House({ HOLDFAST_SLOTS: '2' })
  for (const version of [1, STORE_VERSION - 1]) {
    const go = join(house.scratch, `go-${version}`)
    const running = await house.submitScript(
      `until [ -e '${go}' ]; do sleep 0.05; done; echo made >made.txt; echo the answer`,
    )
    const blocker = await house.submitScript(`until [ -e '${go}' ]; do sleep 0.05; done`)
    for (const id of [running, blocker]) await house.untilState(id, 'running')
    const queued = await house.submitScript('echo made >made.txt')
    const agent = house.pid(running)
    await house.ok(['worker', 'stop'])
    await ageStore(house.home, version)

    // Any command brings the store up to date, and starts the worker.
    expect(await house.task(running)).toMatchObject({ state: 'running', attempt: 1 })
    writeFileSync(go, '')
    const end = { state: 'succeeded', attempt: 1, result: { files: 1 } }
    for (const id of [running, queued]) expect(await house.wait(id)).toMatchObject(end)
    expect(await house.ok(['result', running])).toBe('the answer')
    expect(house.pid(running)).toBe(agent)
    await house.ok(['worker', 'stop'])
    const raw = new DatabaseSync(join(house.home, 'store.db'), { timeout: 60_000 })
    expect(raw.prepare('PRAGMA user_version').get()).toEqual({ user_version: STORE_VERSION })
    raw.close()
  }
})

test('an agent that is replaced while it works ends as it was; its next try is the new one', async () => {
  const house = houseWithCodex(
    `begin
echo "old $$ $resumed" >>"$HOME/ran"
until [ -e "$HOME/go" ]; do sleep 0.05; done
finish old`,
    { HOLDFAST_SLOTS: '2' },
  )
  const notes = join(house.scratch, 'ran')
  const ran = () => (existsSync(notes) ? readFileSync(notes, 'utf8').split('\n').slice(0, -1) : [])
  const [first, second] = [await house.submit(['codex', 'a']), await house.submit(['codex', 'b'])]
  for (const id of [first, second]) {
    await eventually('it works', async () => (await house.task(id)).session !== null)
  }
  await eventually('both work', () => ran().length === 2)
  const program = join(house.scratch, 'fake-bin', 'codex')
  const text = readFileSync(program, 'utf8').replaceAll('old', 'new').replace('0.169.0', '0.170.0')
  writeFileSync(`${program}.next`, text, { mode: 0o755 })
  spawnSync('/bin/mv', [`${program}.next`, program])
  process.kill(house.pid(second), 'SIGKILL')
  await eventually('the new one goes on', () => ran().length === 3)
  house.write('go', '', house.scratch)
  const answered = (answer: string, attempt: number) => ({
    state: 'succeeded',
    attempt,
    result: { answer },
  })
  expect(await house.wait(first)).toMatchObject(answered('old', 1))
  expect(await house.wait(second)).toMatchObject(answered('new', 2))
  expect(ran().at(-1)).toMatch(/^new \d+ yes$/)
})
