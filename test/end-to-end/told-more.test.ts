/** What is said to tasks whose agent is given its prompt alone: it waits, and nothing of it is lost. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { compose } from '../../src/compose.ts'
import { parseTaskId } from '../../src/domain/ids.ts'
import { say } from '../../src/engine/say.ts'
import { eventually } from '../eventually.ts'
import { houseWithCodex } from './fake-codex.ts'
import { entry, type House } from './house.ts'

/** Keeps what it hears, and works until it may end: `go-N` for the try that began as number N. */
const LISTENS = `n=$(ls "$HOME" | grep -c '^heard-')
printf '%s' "$prompt" >"$HOME/hears-$n"
mv "$HOME/hears-$n" "$HOME/heard-$n"
begin
until [ -e "$HOME/go-$n" ]; do sleep 0.05; done
`

const go = (house: House, number: number) => writeFileSync(join(house.scratch, `go-${number}`), '')
const heard = (house: House, number: number) =>
  readFileSync(join(house.scratch, `heard-${number}`), 'utf8')
const starts = (house: House) =>
  readdirSync(house.scratch).filter(name => name.startsWith('heard-')).length
const hears = (house: House, number: number) =>
  eventually(`try ${number} has its prompt`, () =>
    existsSync(join(house.scratch, `heard-${number}`)),
  )

const tell = (house: House, id: string, input: string) => house.ok(['send', id, '-'], { input })

const told = async (house: House, id: string) =>
  (await house.ok(['logs', id, '--json', '-n', '1000']))
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))

test('twenty senders at once, a long message, one before the task begins: each is heard once, whole, in order', async () => {
  const house = houseWithCodex(`${LISTENS}finish "try $n"`)
  const id = await house.submit(['codex', 'Begin'])
  await hears(house, 0)
  const later = await house.submit(['codex', 'Then this', '--after', id])
  await tell(house, later, 'before you begin')
  const senders = Array.from({ length: 20 }, () => compose(house.environment, entry))
  const agent = await senders[0]?.agent('codex')
  if (agent === undefined) throw new Error('there is no Codex')
  await Promise.all(
    senders.map(async (sender, i) => {
      const store = await sender.store()
      const known = parseTaskId(id)
      const task = known && (await store.findTask(known))
      if (task === undefined) throw new Error('it is lost')
      for (const n of [1, 2]) await say(task, `<${i}.${n}>`, agent, store, Date.now())
      await sender.close()
    }),
  )
  const long = `'x' "y" $(touch no) \`z\` \\\n\t-- --json ${'ü'.repeat(100_000)}`
  await tell(house, id, long)
  go(house, 0)
  await hears(house, 1)
  const words = heard(house, 1)
  expect(words.endsWith(`\n\n${long}`)).toBe(true)
  const numbers = [...words.matchAll(/<(\d+)\.([12])>/g)]
  expect(new Set(numbers.map(([all]) => all)).size).toBe(40)
  expect(numbers).toHaveLength(40)
  for (let i = 0; i < 20; i++) {
    expect(numbers.filter(([, sender]) => sender === `${i}`).map(([, , n]) => n)).toEqual([
      '1',
      '2',
    ])
  }
  expect(words).not.toMatch(/Begin|interrupted/)
  go(house, 1)
  expect(await house.wait(id)).toMatchObject({
    state: 'succeeded',
    attempt: 2,
    result: { answer: 'try 1' },
  })
  await hears(house, 2)
  expect(heard(house, 2)).toMatch(/Then this[\s\S]*before you begin/)
  go(house, 2)
  expect(await house.wait(later)).toMatchObject({ state: 'succeeded', attempt: 1 })
  expect([starts(house), existsSync(join(house.worktree(id), 'no'))]).toEqual([3, false])
  const kinds = (await told(house, id)).map(({ kind }) => kind)
  expect(kinds.filter(kind => kind === 'message_heard')).toHaveLength(41)
})

test('a task that waits for a limit is not woken by words, and one that is cancelled says what it has not heard', async () => {
  const house = houseWithCodex(
    `${LISTENS}fail "You've hit your usage limit. Try again in 2 days 3 hours."`,
  )
  const id = await house.submit(['codex', 'Begin'])
  await hears(house, 0)
  go(house, 0)
  const parked = await house.untilState(id, 'waiting')
  await tell(house, id, 'are you there?')
  // The worker has been told, and has looked.
  await house.wait(await house.submitScript('true'))
  expect(await house.task(id)).toMatchObject({
    state: 'waiting',
    waitingUntil: parked.waitingUntil,
    attempt: 1,
  })
  await house.ok(['resume', id])
  await hears(house, 1)
  expect(heard(house, 1)).toMatch(/^You were interrupted[\s\S]*are you there\?/)
  await tell(house, id, 'one more')
  await house.ok(['cancel', id])
  expect((await house.wait(id)).state).toBe('cancelled')
  const notes = (await told(house, id)).map(({ text }) => text ?? '')
  expect(notes.some(text => /^its agent has not heard message (1, )?2: /.test(text))).toBe(true)
})
