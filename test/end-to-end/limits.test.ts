/** Accounts that are used up: tasks wait for the reset, or another agent goes on. */
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { TaskView } from '../../src/surfaces/view.ts'
import { eventually } from '../eventually.ts'
import { houseWithCodex } from './fake-codex.ts'
import type { House } from './house.ts'

/** Notes when it asks and when it is refused: it is used up from the file `limit` to `reset`. */
const USED_UP = `
begin
echo "asks" >>"$HOME/asked"
until [ -e "$HOME/limit" ]; do sleep 0.05; done
if [ ! -e "$HOME/reset" ]; then echo "is refused" >>"$HOME/asked"; fail "You've hit your usage limit. Try again in $(cat "$HOME/patience") seconds."; fi
words 'working'
until [ -e "$HOME/go" ]; do sleep 0.05; done
finish "done, resumed: $resumed"
`

function usedUp(seconds: number, environment: Record<string, string> = {}): House {
  const house = houseWithCodex(USED_UP, { HOLDFAST_SLOTS: '2', ...environment })
  house.write('patience', `${seconds}`, house.scratch)
  return house
}

/** What became of all that have asked so far, in order. */
function asked(house: House): string[] {
  const file = join(house.scratch, 'asked')
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []
}

/** None meets the limit before both are under way: the second one would not be begun. */
async function submitTwo(house: House): Promise<[string, string]> {
  const ids: [string, string] = [
    await house.submit(['codex', 'one']),
    await house.submit(['codex', 'two']),
  ]
  await eventually('both have asked', () => asked(house).length === 2)
  house.write('limit', '', house.scratch)
  return ids
}

const parked = (house: House, id: string) =>
  eventually(`${id} is parked`, async () => {
    const task = await house.task(id)
    return task.state === 'waiting' && task.reason?.startsWith('usage_limit') ? task : undefined
  })

test('two tasks park until the reset, leave their slots to others, and resume by themselves', async () => {
  const house = usedUp(6)
  const [a, b] = await submitTwo(house)
  const waiting: TaskView[] = [await parked(house, a), await parked(house, b)]
  for (const task of waiting) {
    expect(Date.parse(task.waitingUntil ?? '')).toBeGreaterThan(Date.parse(task.createdAt) + 6_000)
  }
  // Neither a slot nor another account is held.
  const other = await house.submit(['codex', 'three'], { environment: { CODEX_API_KEY: 'key-2' } })
  await house.ok(['wait', await house.submit(['command', '--', 'true'])])
  await parked(house, other)
  // A third of the same account is not even begun.
  const late = await house.submit(['codex', 'four'])
  expect(await house.task(late)).toMatchObject({
    state: 'queued',
    attempt: 0,
    reason: expect.stringMatching(/^waits for codex:\w+, whose usage limit was met/),
  })

  house.write('reset', '', house.scratch)
  house.write('go', '', house.scratch)
  for (const id of [a, b, late, other]) expect((await house.wait(id)).state).toBe('succeeded')
  const [first, second] = [await house.task(a), await house.task(b)]
  // On a slow machine one may have tried before the reset.
  for (const task of [first, second]) expect(task.attempt).toBeGreaterThanOrEqual(2)
  expect(first.result?.answer).toBe('done, resumed: yes')
})

test('after the reset one task tries, and the others are begun only when it gets on', async () => {
  const house = usedUp(2, { HOLDFAST_SLOTS: '3' })
  const ids = await submitTwo(house)
  for (const id of ids) await parked(house, id)
  // Nothing is over yet: who tries is told so before another one tries.
  const tries = await eventually('two more have tried', () => {
    const later = asked(house).slice(4)
    return later.length >= 4 && later
  })
  for (const [at, word] of tries.entries()) expect(word).toBe(at % 2 === 0 ? 'asks' : 'is refused')
  house.write('reset', '', house.scratch)
  house.write('go', '', house.scratch)
  for (const id of ids) expect((await house.wait(id)).state).toBe('succeeded')
})

test('a person may try before the reset', async () => {
  const house = usedUp(86_400 * 7)
  house.write('limit', '', house.scratch)
  const id = await house.submit(['codex', 'one'])
  const { waitingUntil } = await parked(house, id)
  expect(Date.parse(waitingUntil ?? '') - Date.now()).toBeGreaterThan(6.9 * 86_400_000)
  house.write('reset', '', house.scratch)
  house.write('go', '', house.scratch)
  await house.ok(['resume', id])
  expect(await house.wait(id)).toMatchObject({ state: 'succeeded', attempt: 2 })
})

test('a parked task outlives its worker, and can be cancelled', async () => {
  const house = usedUp(86_400)
  house.write('limit', '', house.scratch)
  const id = await house.submit(['codex', 'one'])
  await parked(house, id)
  process.kill(await house.workerPid(), 'SIGKILL')
  expect(await house.task(id)).toMatchObject({ state: 'waiting' })
  await house.ok(['cancel', id])
  expect((await house.wait(id)).state).toBe('cancelled')
})

test('with --fallback another agent goes on in the same worktree, told what was done', async () => {
  const house = houseWithCodex(`
begin
words 'I have begun.'
echo half >>half.txt
fail "You've hit your usage limit. Try again in 5 days."
`)
  const claude = join(house.scratch, 'fake-bin', 'claude')
  writeFileSync(
    claude,
    `#!/bin/sh
if [ "$1" = --version ]; then echo '2.1.329 (Claude Code)'; exit; fi
cat >"$HOME/told"
say() { printf '%s\\n' "$1"; }
say '{"type":"system","subtype":"init","session_id":"s-2","cwd":"/","tools":[],"model":"m"}'
echo whole >>half.txt
say '{"type":"result","subtype":"success","is_error":false,"result":"Finished it.","session_id":"s-2","num_turns":1,"total_cost_usd":0.25,"usage":{"input_tokens":5,"output_tokens":2}}'
`,
  )
  chmodSync(claude, 0o755)
  const id = await house.submit(
    ['codex', 'do both halves', '--fallback', 'claude', '--permissions', 'full'],
    { environment: { ANTHROPIC_API_KEY: 'k' } },
  )
  const task = await house.wait(id)
  expect(task).toMatchObject({
    state: 'succeeded',
    agent: 'claude',
    attempt: 2,
    result: { answer: 'Finished it.', files: 1 },
  })
  const told = readFileSync(join(house.scratch, 'told'), 'utf8')
  for (const words of ['do both halves', 'codex', 'I have begun.', '+half']) {
    expect(told).toContain(words)
  }
  expect(await house.ok(['diff', id])).toContain('+whole')
})
