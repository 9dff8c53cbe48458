/** What is said to a task after it was handed in, with a Codex that is given its prompt alone. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type SentView, sentView, type TaskView } from '../../src/surfaces/view.ts'
import { eventually } from '../eventually.ts'
import { houseWithCodex } from './fake-codex.ts'
import type { House } from './house.ts'
import { McpClient } from './mcp-client.ts'

/** Each start leaves what it was told in a file of its own, and writes a file into the worktree. */
const LISTENS = `
n=1
while [ -e "$HOME/told-$n" ]; do n=$((n + 1)); done
printf '%s' "$prompt" > "$HOME/told-$n.part"
mv "$HOME/told-$n.part" "$HOME/told-$n"
begin
echo "$n" > "turn-$n"
case "$prompt" in *stays*) until [ -e "$HOME/go-$n" ]; do sleep 0.05; done;; esac
finish "$resumed $session, turn $n"
`

const told = (house: House, turn: number): string =>
  readFileSync(join(house.scratch, `told-${turn}`), 'utf8')

const untilTold = (house: House, turn: number): Promise<true> =>
  eventually(`turn ${turn} is told`, () => existsSync(join(house.scratch, `told-${turn}`)) || false)

const goOn = (house: House, turn: number): void => {
  writeFileSync(join(house.scratch, `go-${turn}`), '')
}

async function send(house: House, ...words: string[]): Promise<SentView> {
  return JSON.parse(await house.ok(['send', ...words, '--json'], { directory: '/' }))
}

const answerOf = ({ result }: TaskView): string | null | undefined => result?.answer

test('what is sent to an ended task follows it in its session and worktree, and to a running one is heard once', async () => {
  const house = houseWithCodex(LISTENS)
  const first = await house.submit(['codex', 'Begin the work'])
  const begun = await house.wait(first)
  await house.ok(['apply', first])

  const sent = await send(house, first, 'This one stays a while; $(touch "$HOME/executed") `"')
  const second = sent.task.id
  expect(sent).toMatchObject({
    message: null,
    isNew: true,
    task: { name: `${begun.name}.2`, follows: first, base: begun.base, session: begun.session },
  })
  await untilTold(house, 2)
  // It had come to its end well: it is told the text, and nothing of an interruption.
  expect(told(house, 2)).toContain('This one stays a while; $(touch "$HOME/executed") `"')
  expect(told(house, 2)).not.toMatch(/interrupted|Begin the work/)

  await house.untilState(second, 'running')
  // The first task is named: its conversation goes on in the second.
  const key = ['--idempotency-key', 'k']
  const said = await send(house, first, 'third words', ...key)
  expect(said).toMatchObject({
    task: { id: second, messages: { sent: 1, unheard: 1 } },
    message: { number: 1, text: 'third words', heardAt: null },
    heard: 'after_turn',
    isNew: true,
  })
  expect(await send(house, begun.name, 'third words', ...key)).toMatchObject({ isNew: false })
  const other = await house.run(['send', second, 'other words', ...key])
  expect([other.code, other.stderr]).toEqual([5, expect.stringContaining('"k" was used')])
  goOn(house, 2)
  const ended = await house.wait(second)
  expect(ended).toMatchObject({ state: 'succeeded', messages: { sent: 1, unheard: 0 } })
  expect(answerOf(ended)).toBe(`yes ${begun.session}, turn 3`)
  expect(told(house, 3)).toBe('third words')
  expect(ended.worktree).toEqual(begun.worktree)
  expect(existsSync(join(house.scratch, 'executed'))).toBe(false)

  // Sent once more, after the end: it was heard, and nothing follows.
  const again = await send(house, first, 'third words', ...key)
  expect(again).toMatchObject({ task: { id: second }, isNew: false, message: { number: 1 } })
  expect(again.message?.heardAt).not.toBeNull()

  // All of it is the second one's result; what the first brought home is there already.
  expect(ended.result).toMatchObject({ files: 3 })
  house.write('turn-1', 'edited at home\n')
  const applied = JSON.parse(await house.ok(['apply', begun.name, '--json']))
  expect(applied).toMatchObject({ id: second, state: 'applied' })
  expect(applied.files.map(({ path }: { path: string }) => path)).toEqual(['turn-2', 'turn-3'])
  expect(readFileSync(join(house.repo, 'turn-1'), 'utf8')).toBe('edited at home\n')

  // Two at once: one makes the task that follows, and the other is said to that, which is still there.
  const both = await Promise.all([
    send(house, first, 'one of two stays'),
    send(house, first, 'the other stays'),
  ])
  for (const turn of [4, 5]) goOn(house, turn)
  expect(new Set(both.map(({ task }) => task.id)).size).toBe(1)
  expect(both.filter(({ message }) => message === null)).toHaveLength(1)
  const third = await house.wait(both[0].task.id)
  expect(third).toMatchObject({ follows: second, state: 'succeeded', messages: { unheard: 0 } })
})

test('a worktree that was put away or lost is there again for what follows, and what was not heard is told', async () => {
  const house = houseWithCodex(LISTENS)
  const first = await house.submit(['codex', 'Begin', '--name', 'talk'])
  const begun = await house.wait(first)
  await house.ok(['archive', first])
  expect(existsSync(begun.worktree?.path ?? '')).toBe(false)

  const second = (await send(house, 'talk', 'go on')).task.id
  const back = await house.wait(second)
  expect(back).toMatchObject({ name: 'talk.2', state: 'succeeded', result: { files: 2 } })
  expect(back.worktree?.path).toBe(begun.worktree?.path)

  rmSync(back.worktree?.path ?? '', { recursive: true })
  const third = (await send(house, 'talk', 'this stays, and on')).task.id
  await untilTold(house, 3)
  expect(told(house, 3)).toContain('in a worktree that was deleted')
  await send(house, 'talk', 'unheard words')
  await house.run(['cancel', third])
  const cancelled = await house.task(third)
  expect(cancelled).toMatchObject({ state: 'cancelled', messages: { sent: 1, unheard: 1 } })
  expect(await house.ok(['logs', third])).toContain('its agent has not heard')
  expect(cancelled.worktree?.path).not.toBe(begun.worktree?.path)

  expect((await house.evidence(third)).unheard).toEqual(['unheard words'])

  // Whoever goes on is told it, and what it may not have come to hear of before; and then no more.
  goOn(house, 4)
  const fourth = await house.wait((await house.ok(['resume', third])).trim())
  expect(fourth).toMatchObject({ name: 'talk.4', state: 'succeeded', session: begun.session })
  expect(told(house, 4)).toMatch(
    /interrupted \(it was cancelled\)[\s\S]*this stays, and on[\s\S]*unheard words$/,
  )
  await house.wait((await send(house, 'talk', 'the end')).task.id)
  expect(told(house, 5)).toMatch(/the end$/)
  expect(told(house, 5)).not.toMatch(/interrupted|unheard words/)

  // It reads as one conversation, with what people said in it.
  const log = await house.ok(['logs', 'talk', '-n', '500'])
  const said = [
    '> Begin',
    '> go on',
    '> this stays',
    '> unheard words',
    'turn 4',
    '> the end',
    'turn 5',
  ]
  const at = said.map(words => log.indexOf(words))
  expect(at).not.toContain(-1)
  expect(at).toEqual(at.toSorted((a, b) => a - b))
  const only = await house.ok(['logs', 'talk', '--only'])
  expect([only.includes('turn 5'), only.includes('turn 4')]).toEqual([true, false])
  expect(await house.ok(['status', third])).toContain(
    `talk.2 (${second}) succeeded → this → talk.4`,
  )
  const { conversation } = await house.evidence('talk')
  const names = conversation.map(({ name }) => name)
  expect(names).toEqual(['talk', 'talk.2', 'talk.3', 'talk.4', 'talk.5'])

  // Anew, in a session that knows nothing of it, all is said again.
  goOn(house, 6)
  await house.wait((await house.ok(['retry', 'talk'])).trim())
  for (const words of ['Begin', 'go on', 'this stays, and on', 'unheard words', 'the end']) {
    expect(told(house, 6).split(words)).toHaveLength(2)
  }
})

test('a client of MCP says more, once for one use of the tool, and only within what its user allows', async () => {
  const house = houseWithCodex(LISTENS)
  const client = new McpClient(house)
  await client.initialize('2025-06-18')
  const own = await house.submit(['codex', 'Begin'])
  const full = await house.submit(['codex', 'Begin with all', '--permissions', 'full'])
  const begun = await house.wait(own)
  await house.wait(full)
  const words = { task: own, text: 'more' }
  const use = { 'claudecode/toolUseId': 'toolu_1' }
  const sent = (await client.call('send', words, use)).structuredContent
  expect(sentView.parse(sent)).toMatchObject({ task: { follows: own, session: begun.session } })
  const again = (await client.call('send', words, use)).structuredContent
  expect(again).toMatchObject({ task: { id: sent.task.id }, isNew: false })
  expect(await client.refusal('send', { ...words, task: full })).toBe('permissions_unavailable')
  await house.wait(sent.task.id)
  expect(await client.leave()).toBe(0)
})

test('a task without a session, or that may do more than the task that asks, is not sent to', async () => {
  const house = houseWithCodex(LISTENS)
  const id = await house.submitScript('true')
  await house.wait(id)
  const refused = await house.run(['send', id, 'more'])
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('no session')])
  expect((await house.run(['send', '-', 'more'])).code).toBe(2)
  expect((await house.run(['send', 'nobody', 'more'])).code).toBe(4)
  expect((await house.run(['send', id, 'two', 'words'])).code).toBe(2)

  const reader = await house.submit(['codex', 'Look around', '--permissions', 'read-only'])
  await house.wait(reader)
  const writer = await house.submit(['codex', 'This one stays'])
  await untilTold(house, 2)
  const asReader = { environment: { HOLDFAST_ATTEMPT: `${reader}.1.0` } }
  const narrow = [6, expect.stringContaining(`${reader} that asks may do no more than read-only`)]
  const running = await house.run(['send', writer, 'do it for me'], asReader)
  expect([running.code, running.stderr]).toEqual(narrow)
  goOn(house, 2)
  expect(await house.wait(writer)).toMatchObject({ messages: { sent: 0 } })
  const ended = await house.run(['send', writer, 'do it for me'], asReader)
  expect([ended.code, ended.stderr]).toEqual(narrow)
  expect((await house.task(writer)).followedBy).toBeNull()
})
