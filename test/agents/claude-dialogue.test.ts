/** Talking with the real Claude Code in the whole program: messages, questions and the end of a turn. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect } from 'vitest'
import { type Choose, call, say, shell, type Turn } from '../../src/demo/scripted-model/script.ts'
import { type ScriptedModel, startScriptedModel } from '../../src/demo/scripted-model/server.ts'
import { confinedTest, visibleParent } from '../confined.ts'
import { House } from '../end-to-end/house.ts'
import { Points } from '../end-to-end/points.ts'
import { eventually } from '../eventually.ts'
import { heard } from './house-with-model.ts'
import { bring } from './matrix/cast.ts'
import { tell } from './tell.ts'

const models: ScriptedModel[] = []
afterEach(async () => {
  for (const model of models.splice(0)) await model.close()
})

async function houseOfClaude(options: { turns?: readonly Turn[]; choose?: Choose }) {
  const model = await startScriptedModel(options)
  models.push(model)
  const house = new House({ HOLDFAST_TALK: 'dialogue' }, visibleParent())
  const { scratch, environment } = house
  Object.assign(environment, await bring('claude', scratch, environment.PATH ?? '', model))
  return { house, model }
}

/** Works until it is told to end. */
const AT_WORK = shell('touch under-way; until [ -e end ]; do sleep 0.05; done', 'I begin.')
const underWay = (house: House, id: string) =>
  eventually('its tool is at work', () => existsSync(join(house.worktree(id), 'under-way')))
const letEnd = (house: House, id: string) => writeFileSync(join(house.worktree(id), 'end'), '')
const timesIn = (text: string | undefined, words: string) => (text ?? '').split(words).length - 1
const saidTo = (house: House, id: string) =>
  readFileSync(join(house.runDirectory(id), 'stdin'), 'utf8')

confinedTest(
  'a message in mid-turn changes what it does next, neither lost nor doubled by a worker killed twice',
  async () => {
    const { house, model } = await houseOfClaude({
      choose({ conversation, body }) {
        const isTold = JSON.stringify(body).includes('the OTHER')
        const [results = 0] = conversation.resultsAfter.slice(0, 1)
        if (results === 0) return AT_WORK
        if (results > 1) return say('All done.')
        return shell(isTold ? 'touch other.txt' : 'touch first.txt')
      },
    })
    const points = new Points(house)
    const id = await house.submit(['-a', 'claude', 'make first.txt'])
    await underWay(house, id)

    // Killed between the store and the saying.
    await house.killWorkers()
    await tell(house, id, 'no: the OTHER file', false)
    expect(saidTo(house, id)).not.toContain('OTHER')
    // And between the saying and the acknowledgement.
    points.stand('converse.said')
    await house.ok(['worker', 'start'])
    await eventually('it was said', () => saidTo(house, id).includes('OTHER'))
    const stands = join(house.scratch, 'points', 'converse.said.pid')
    await eventually('a worker stands there', () => existsSync(stands))
    await house.killWorkers()
    letEnd(house, id)
    await house.ok(['worker', 'start'])

    expect(await house.wait(id)).toMatchObject({ state: 'succeeded', attempt: 1 })
    expect(existsSync(join(house.worktree(id), 'other.txt'))).toBe(true)
    expect(existsSync(join(house.worktree(id), 'first.txt'))).toBe(false)
    expect(timesIn(saidTo(house, id), 'the OTHER')).toBe(1)
    // In the same turn: the request after the tool has it, beside the tool's result.
    expect(heard(model).map(text => timesIn(text, 'the OTHER'))).toEqual([0, 1, 1])
    const stdout = readFileSync(join(house.runDirectory(id), 'stdout'), 'utf8')
    expect(timesIn(stdout, '"subtype":"init"')).toBe(1)
    expect(await house.ok(['logs', id, '-n', '1000'])).toMatch(/message 1/)
  },
)

confinedTest(
  'killed before its model has answered, Claude Code is told again what it had not taken, and nothing else',
  async () => {
    const { house, model } = await houseOfClaude({
      turns: [AT_WORK, { kind: 'hang' }, say('Done.')],
    })
    const id = await house.submit(['-a', 'claude', 'do it'])
    await underWay(house, id)
    await tell(house, id, 'WITH-ITS-TOOL')
    await eventually('it was said', () => saidTo(house, id).includes('WITH-ITS-TOOL'))
    letEnd(house, id)
    await eventually('its model is asked', () => heard(model).length === 2)
    // In its queue: no tool comes that it would be read with.
    await tell(house, id, 'IN-ITS-QUEUE')
    const isQueued = () => {
      const stdout = readFileSync(join(house.runDirectory(id), 'stdout'), 'utf8')
      return timesIn(stdout, '"state":"queued"') === 2
    }
    await eventually('it has that in its queue', isQueued)
    const [pid] = readFileSync(join(house.runDirectory(id), 'pid'), 'utf8').split(' ')
    process.kill(Number(pid), 'SIGKILL')
    expect(await house.wait(id)).toMatchObject({ state: 'succeeded', attempt: 2 })
    const last = heard(model)
      .slice(2)
      .map(text => [timesIn(text, 'WITH-ITS-TOOL'), timesIn(text, 'IN-ITS-QUEUE')])
    expect(last).toEqual([[1, 1]])
  },
)

confinedTest(
  'what comes as the turn ends is its next turn; a command in the background is waited for, and no longer',
  async () => {
    const background = 'touch under-way; until [ -e end ]; do sleep 0.05; done; echo x > made.txt'
    const isTold = Promise.withResolvers<void>()
    const { house, model } = await houseOfClaude({
      turns: [
        call('Bash', { command: background, run_in_background: true, description: 'waits' }),
        say('I wait for it.'),
        say('Told while I wait.'),
        { kind: 'reply', text: 'It has ended, at length.', chunks: 2, until: isTold.promise },
        say('The last word.'),
      ],
    })
    const id = await house.submit(['-a', 'claude', 'do it'])
    await eventually('it waits', () => heard(model).length === 2)
    await tell(house, id, 'FIRST-MESSAGE')
    await eventually('it was told', () => heard(model).length === 3)
    letEnd(house, id)
    await eventually('it goes on by itself', () => heard(model).length === 4)
    // No tool comes any more: it is read after the turn that goes on.
    await tell(house, id, '/clear this')
    await eventually('it was said', () => saidTo(house, id).includes('/clear this'))
    isTold.resolve()
    expect(await house.wait(id)).toMatchObject({
      state: 'succeeded',
      attempt: 1,
      result: { answer: 'The last word.', files: 3 },
    })
    expect(heard(model)[2]).toContain('FIRST-MESSAGE')
    expect(heard(model)[3]).toContain('task-notification')
    expect(heard(model)[4]).toContain('/clear this')
    expect(heard(model)[4]).toContain('FIRST-MESSAGE')
    const { usage } = await house.task(id)
    // Five answers of 100 and 20 tokens: what each turn says of itself, added once.
    expect(usage).toMatchObject({ inputTokens: 500, outputTokens: 100 })
  },
)

confinedTest(
  'cancel interrupts the turn before anything is killed, and the session goes on one-shot',
  async () => {
    const { house, model } = await houseOfClaude({ turns: [AT_WORK, say('Back again.')] })
    const points = new Points(house)
    const id = await house.submit(['-a', 'claude', 'REMEMBER-THIS'])
    await underWay(house, id)
    // The worker waits for the end of the turn no longer than two seconds: it stands still meanwhile.
    points.stand('converse.said')
    const cancelled = house.run(['cancel', id])
    const stdout = join(house.runDirectory(id), 'stdout')
    await eventually('its turn is cut short', () =>
      readFileSync(stdout, 'utf8').includes('"terminal_reason":"aborted_tools"'),
    )
    points.go('converse.said')
    await cancelled
    expect(await house.wait(id)).toMatchObject({ state: 'cancelled' })
    const environment = { HOLDFAST_TALK: 'one-shot' }
    const second = (await house.ok(['resume', id], { environment })).trim()
    expect(await house.wait(second)).toMatchObject({
      state: 'succeeded',
      session: (await house.task(id)).session,
      result: { answer: 'Back again.' },
    })
    expect(heard(model)[1]).toMatch(/REMEMBER-THIS.*it was cancelled/)
  },
)

confinedTest('under --ask it asks, and does as it is answered from another terminal', async () => {
  const colour = {
    question: 'Which colour?',
    header: 'Colour',
    multiSelect: false,
    options: ['Red', 'Blue'].map(label => ({ label, description: label })),
  }
  const { house, model } = await houseOfClaude({
    turns: [
      shell('echo yes > allowed.txt', 'I begin.'),
      shell('echo no > denied.txt'),
      call('AskUserQuestion', { questions: [colour] }),
      say('As you like.'),
    ],
  })
  const id = await house.submit(['-a', 'claude', 'ask me', '--ask'])
  const answered = async (text: string, words: string) => {
    const { question } = await eventually(`it asks: ${text}`, async () => {
      const task = await house.task(id)
      return task.question?.text.includes(text) && task
    })
    await house.ok(['answer', id, words], { directory: '/' })
    return question
  }
  expect(await answered('echo yes > allowed.txt', 'Allow')).toMatchObject({ options: [{}, {}] })
  await answered('echo no > denied.txt', '2')
  await answered('Which colour?', 'blue')
  expect(await house.wait(id)).toMatchObject({ state: 'succeeded', attempt: 1 })
  expect(existsSync(join(house.worktree(id), 'allowed.txt'))).toBe(true)
  expect(existsSync(join(house.worktree(id), 'denied.txt'))).toBe(false)
  expect(heard(model)[3]).toContain('Which colour?\\"=\\"Blue')
  const { refused } = await house.evidence(id)
  expect(refused).toMatchObject([{ action: 'Bash: echo no > denied.txt' }])
})
