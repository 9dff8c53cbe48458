/** Budgets, and what tasks have used. */
import { expect, test } from 'vitest'
import { eventually } from '../eventually.ts'
import { houseWithCodex } from './fake-codex.ts'
import { House } from './house.ts'

test('a budget that is used up interrupts the task, which goes on with a larger one', async () => {
  // Codex counts over its session, and writes it down for itself while the turn goes on.
  const house = houseWithCodex(`
begin
words 'on my way'
record=$CODEX_HOME/sessions/2026/11/29
mkdir -p "$record"
if [ $resumed = yes ]; then words done; usage 2500 100; exit 0; fi
echo '{"type":"event_msg","payload":{"type":"token_count","info":{"total_token_usage":{"input_tokens":2000,"output_tokens":50}}}}' >"$record/rollout-x-$session.jsonl"
exec sleep 300
`)
  house.environment.CODEX_HOME = `${house.scratch}/codex`
  const id = await house.submit(['codex', 'x', '--budget', '2ktok'])
  const task = await eventually('its budget is used up', async () => {
    const seen = await house.task(id)
    return seen.state === 'waiting' && seen
  })
  expect(task.reason).toContain('budget_reached')
  expect(task.reason).toContain('2,050 tokens of 2,000 tokens')
  expect(task).toMatchObject({ waitingUntil: null, budget: { kind: 'tokens', tokens: 2_000 } })

  const refused = await house.run(['resume', id, '--budget', '1ktok'])
  expect(refused.code).toBe(5)
  expect(refused.stderr).toContain('is used up')
  await house.ok(['resume', id, '--budget', '1Mtok'])
  expect(await house.wait(id)).toMatchObject({
    state: 'succeeded',
    attempt: 2,
    usage: { inputTokens: 2_500, outputTokens: 100 },
    budget: { kind: 'tokens', tokens: 1_000_000 },
  })
})

test('usage is summed by agent, repository and day', async () => {
  const house = houseWithCodex('begin\nwords done\nusage 1000 10')
  await house.ok([
    'wait',
    await house.submit(['codex', 'one']),
    await house.submit(['codex', 'two']),
  ])
  await house.ok(['wait', await house.submit(['command', '--', 'true'])])
  const sums = async (by: string) =>
    JSON.parse(await house.ok(['usage', '--by', by, '--json'])).sums
  expect(await sums('agent')).toMatchObject([
    {
      key: 'codex',
      tasks: 2,
      attempts: 2,
      unknown: 0,
      usage: { inputTokens: 2_000, costUsd: null },
    },
    { key: 'command', tasks: 1, unknown: 1, usage: null },
  ])
  expect(await sums('repository')).toMatchObject([{ key: `${house.repo}/.git`, tasks: 3 }])
  expect(await sums('day')).toMatchObject([{ key: expect.stringMatching(/^\d{4}-\d\d-\d\d$/) }])
  const text = await house.ok(['usage'])
  expect(text).toMatch(/codex +2 +2 +2,000 +0 +20 +\?/)
  expect(await house.ok(['usage', '--since', '1ms'])).toBe('')
})

test('what cannot be done is refused before anything is made', async () => {
  const house = houseWithCodex('finish x')
  for (const [flag, why] of [
    [['--budget', '5 apples'], 'is no amount'],
    [['--budget', '5usd'], 'does not say what it costs'],
    [['--budget', '0usd'], 'is no amount'],
    [['--fallback', 'nobody'], 'there is no agent "nobody"'],
    [['--fallback', 'codex'], 'cannot go on for codex'],
    [['--ask'], 'codex cannot ask'],
    [['--stall', 'soon'], 'is no duration'],
    [['--max-failures', '0'], 'before it begins'],
  ] as const) {
    const { code, stderr } = await house.run(['run', 'codex', 'x', ...flag])
    expect({ flag, code, stderr }).toEqual({ flag, code: 2, stderr: expect.stringContaining(why) })
  }
  expect(JSON.parse(await house.ok(['status', '--all', '--json'])).tasks).toEqual([])
})

test('nothing can be answered where nothing is asked', async () => {
  const house = new House()
  const id = await house.submit(['command', '--', 'true'])
  await house.ok(['wait', id])
  expect((await house.run(['answer', id])).code).toBe(5)
  expect((await house.run(['answer', id, 'yes'])).code).toBe(5)
  expect((await house.run(['answer'])).code).toBe(2)
})
