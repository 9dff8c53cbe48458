/** Accounts that are used up: tasks wait for the reset, or another agent goes on. */
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { TaskView } from '../../src/surfaces/view.ts'
import { eventually } from '../eventually.ts'
import { houseWithCodex } from './fake-codex.ts'
import type { House } from './house.ts'

/** Says how often it was asked, and is used up until the file `reset` is there. */
const USED_UP = `
begin
echo "$$ $resumed" >>"$HOME/asked"
if [ ! -e "$HOME/reset" ]; then fail "You've hit your usage limit. Try again in $(cat "$HOME/patience") seconds."; fi
words 'working'
until [ -e "$HOME/go" ]; do sleep 0.05; done
finish "done, resumed: $resumed"
`

function usedUp(seconds: number, environment: Record<string, string> = {}): House {
  const house = houseWithCodex(USED_UP, { HOLDFAST_SLOTS: '2', ...environment })
  house.write('patience', `${seconds}`, house.scratch)
  return house
}

const asked = (house: House) => {
  const file = join(house.scratch, 'asked')
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').length : 0
}

const parked = (house: House, id: string) =>
  eventually(`${id} is parked`, async () => {
    const task = await house.task(id)
    return task.state === 'waiting' && task.reason?.startsWith('usage_limit') ? task : undefined
  })

test('two tasks park until the reset, leave their slots to others, and resume by themselves', async () => {
  const house = usedUp(3)
  const [a, b] = [await house.submit(['codex', 'one']), await house.submit(['codex', 'two'])]
  const waiting: TaskView[] = [await parked(house, a), await parked(house, b)]
  for (const task of waiting) {
    expect(Date.parse(task.waitingUntil ?? '')).toBeGreaterThan(Date.parse(task.createdAt) + 3_000)
  }
  // Neither a slot nor another account is held.
  const other = await house.submit(['codex', 'three'], { environment: { CODEX_API_KEY: 'key-2' } })
  await house.ok(['wait', await house.submit(['command', '--', 'true'])])
  await parked(house, other)
  // A third of the same account is not even begun.
  const late = await house.submit(['codex', 'four'])
  expect(await house.task(late)).toMatchObject({ state: 'queued', attempt: 0 })
  expect((await house.task(late)).reason).toMatch(/^waits for codex:\w+, whose usage limit was met/)

  house.write('reset', '', house.scratch)
  house.write('go', '', house.scratch)
  for (const id of [a, b, late, other]) expect((await house.wait(id)).state).toBe('succeeded')
  const [first, second] = [await house.task(a), await house.task(b)]
  // On a slow machine one may have tried before the reset.
  for (const task of [first, second]) expect(task.attempt).toBeGreaterThanOrEqual(2)
  expect(first.result?.answer).toBe('done, resumed: yes')
}, 120_000)

test('after the reset one task tries, and the others are begun only when it gets on', async () => {
  const house = usedUp(2, { HOLDFAST_SLOTS: '3' })
  const ids = [await house.submit(['codex', 'one']), await house.submit(['codex', 'two'])]
  for (const id of ids) await parked(house, id)
  const before = asked(house)
  // Nothing is over yet: the one that tries is told so, and all wait again.
  await eventually('one has tried', () => asked(house) > before)
  for (const id of ids) await parked(house, id)
  expect(asked(house)).toBe(before + 1)
  house.write('reset', '', house.scratch)
  house.write('go', '', house.scratch)
  for (const id of ids) expect((await house.wait(id)).state).toBe('succeeded')
}, 120_000)

test('a person may try before the reset', async () => {
  const house = usedUp(86_400 * 7)
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
