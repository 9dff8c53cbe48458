/** Agents that say nothing and do nothing are noticed, interrupted and continued, and given up in the end. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../eventually.ts'
import { houseWithCodex } from './fake-codex.ts'
import { Points } from './points.ts'

test('a silent agent is interrupted, and its session continued', async () => {
  const house = houseWithCodex(`
begin
if [ $resumed = yes ]; then finish "told: $prompt"; fi
words 'thinking'
exec sleep 300
`)
  // Silent from the first word on, however long that took.
  const points = new Points(house)
  points.stand('follow.running')
  const id = await house.submit(['codex', 'x', '--stall', '3s'])
  const said = join(house.runDirectory(id), 'stdout')
  await eventually(
    'it has spoken',
    () => existsSync(said) && /thinking/.test(readFileSync(said, 'utf8')),
  )
  points.go('follow.running')
  const task = await house.wait(id)
  expect(task).toMatchObject({ state: 'succeeded', attempt: 2 })
  expect(task.result?.answer).toContain('the agent said nothing for')
  expect(await house.ok(['logs', id])).toContain('stood still for')
})

test('one that is silent again and again is given up, with what speaks for it', async () => {
  const house = houseWithCodex('begin\\nexec sleep 300'.replaceAll('\\n', '\n'))
  const id = await house.submit(['codex', 'x', '--stall', '1s'])
  const task = await house.wait(id)
  expect(task).toMatchObject({ state: 'failed', attempt: 3, error: { code: 'stalled' } })
  expect(task.error?.message).toMatch(/said nothing for \d+ s, \d+ of its processes idle/)
})

test('a tool that works, or reads and writes, is no stall, however silent its agent is', async () => {
  const house = houseWithCodex(`
begin
words 'testing'
end=$(($(date +%s) + 8))
while [ "$(date +%s)" -lt $end ]; do :; done
finish tested
`)
  const id = await house.submit(['codex', 'x', '--stall', '4s'])
  expect(await house.wait(id)).toMatchObject({ state: 'succeeded', attempt: 1 })
  const log = readFileSync(join(house.runDirectory(id), 'stdout'), 'utf8')
  expect(log).toContain('tested')
})

test('one that was asked to come back later, and sleeps until then, is left in peace for as long', async () => {
  const house = houseWithCodex(`
begin
echo '{"type":"turn.failed","error":{"message":"last status: 429 Too Many Requests, try again in 90 s"}}'
exec sleep 300
`)
  const points = new Points(house)
  points.stand('follow.running')
  const begun = Date.now()
  const id = await house.submit(['codex', 'x', '--stall', '1s'])
  const said = join(house.runDirectory(id), 'stdout')
  await eventually(
    'it has spoken',
    () => existsSync(said) && /90 s/.test(readFileSync(said, 'utf8')),
  )
  points.go('follow.running')
  const task = await house.untilState(id, 'waiting')
  expect(task.reason).toMatch(/^backoff after rate_limited: /)
  expect(Date.parse(task.waitingUntil ?? '') - begun).toBeGreaterThanOrEqual(90_000)
  await house.ok(['cancel', id])
})
